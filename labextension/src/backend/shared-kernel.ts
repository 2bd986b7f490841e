/** The helper kernel as the tabs of a browser share it: which one it is, and who uses it. */

import { UUID } from '@lumino/coreutils';
import type { Timers } from '../countdown/clock';
import { fields, number, text } from '../countdown/messages';

/** Who has not used it for so long does not use it any more, or went without a word. */
export const UNUSED_MS = 600_000;

const PREFIX = 'modelarts-magics:helper:';

/** What a share is made of. */
export interface ShareOptions {
  /** Common to the tabs. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** The address of the server whose kernel it is: a gateway may have several at one origin. */
  readonly server: string;
  readonly timers: Timers;
}

/** One tab's part in the kernel. */
export class Share {
  readonly #options: ShareOptions;
  readonly #me = UUID.uuid4();
  readonly #key: string;

  constructor(options: ShareOptions) {
    this.#options = options;
    this.#key = PREFIX + options.server;
  }

  /** The id of the kernel that some tab has started; empty when none has. */
  get kernel(): string {
    return text(this.#read().kernel);
  }

  /** This tab uses the kernel now. */
  use(kernel: string): void {
    this.#write(kernel, { ...this.#others(kernel), [this.#me]: this.#options.timers.now() });
  }

  /** This tab uses it no more; answers whether nobody does, so that it is to be ended. */
  leave(kernel: string): boolean {
    if (this.kernel !== kernel) {
      return true; // Another tab did not find it, and has one of its own.
    }
    const others = this.#others(kernel);
    const last = Object.keys(others).length === 0;
    if (last) {
      this.#options.storage.removeItem(this.#key);
    } else {
      this.#write(kernel, others);
    }
    return last;
  }

  #others(kernel: string): Readonly<Record<string, unknown>> {
    const since = this.#options.timers.now() - UNUSED_MS;
    const tabs = this.kernel === kernel ? Object.entries(fields(this.#read().tabs)) : [];
    return Object.fromEntries(
      tabs.filter(([tab, used]) => tab !== this.#me && (number(used) ?? 0) > since),
    );
  }

  #read(): ReturnType<typeof fields> {
    try {
      return fields(JSON.parse(this.#options.storage.getItem(this.#key) ?? ''));
    } catch {
      return {};
    }
  }

  #write(kernel: string, tabs: Readonly<Record<string, unknown>>): void {
    try {
      this.#options.storage.setItem(this.#key, JSON.stringify({ kernel, tabs }));
    } catch {
      // Full or forbidden: a kernel of its own for each tab is better than none.
    }
  }
}
