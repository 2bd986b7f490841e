/** The helper kernel as the tabs of a browser share it: which one it is, and who uses it. */

import { UUID } from '@lumino/coreutils';
import type { Timers } from '../countdown/clock';
import { asObject, asNumber, asString } from '../countdown/messages';

/** Who has not used it for so long does not use it any more, or went without a word. */
export const KERNEL_IDLE_TIMEOUT_MS = 600_000;

const STORAGE_KEY_PREFIX = 'modelarts-magics:helper:';

/** What a share is made of. */
export interface SharedKernelOptions {
  /** Common to the tabs. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** The address of the server whose kernel it is: a gateway may have several at one origin. */
  readonly serverUrl: string;
  readonly timers: Timers;
}

/** One tab's part in the kernel. */
export class SharedKernel {
  readonly #options: SharedKernelOptions;
  readonly #tabId = UUID.uuid4();
  readonly #storageKey: string;

  constructor(options: SharedKernelOptions) {
    this.#options = options;
    this.#storageKey = STORAGE_KEY_PREFIX + options.serverUrl;
  }

  /** The id of the kernel that some tab has started; empty when none has. */
  get kernelId(): string {
    return asString(this.#stored().kernel);
  }

  /** This tab uses the kernel now. */
  markUsed(kernelId: string): void {
    this.#store(kernelId, {
      ...this.#otherTabs(kernelId),
      [this.#tabId]: this.#options.timers.now(),
    });
  }

  /** This tab uses it no more; answers whether nobody does, so that it is to be ended. */
  release(kernelId: string): boolean {
    if (this.kernelId !== kernelId) {
      return true; // Another tab did not find it, and has one of its own.
    }
    const others = this.#otherTabs(kernelId);
    const last = Object.keys(others).length === 0;
    if (last) {
      this.#options.storage.removeItem(this.#storageKey);
    } else {
      this.#store(kernelId, others);
    }
    return last;
  }

  #otherTabs(kernelId: string): Readonly<Record<string, unknown>> {
    const oldestUseMs = this.#options.timers.now() - KERNEL_IDLE_TIMEOUT_MS;
    const tabs = this.kernelId === kernelId ? Object.entries(asObject(this.#stored().tabs)) : [];
    return Object.fromEntries(
      tabs.filter(([tab, used]) => tab !== this.#tabId && (asNumber(used) ?? 0) > oldestUseMs),
    );
  }

  #stored(): ReturnType<typeof asObject> {
    try {
      return asObject(JSON.parse(this.#options.storage.getItem(this.#storageKey) ?? ''));
    } catch {
      return {};
    }
  }

  #store(kernelId: string, tabs: Readonly<Record<string, unknown>>): void {
    try {
      this.#options.storage.setItem(this.#storageKey, JSON.stringify({ kernel: kernelId, tabs }));
    } catch {
      // Full or forbidden: a kernel of its own for each tab is better than none.
    }
  }
}
