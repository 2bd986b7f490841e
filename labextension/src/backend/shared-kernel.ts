/** The record of the helper kernel that the tabs of a browser share: its id and which tabs use it. */

import { UUID } from '@lumino/coreutils';
import type { Timers } from '../countdown/clock';
import { asNumber, asObject, asString } from '../countdown/messages';

/** Milliseconds without use after which a tab no longer counts as using the kernel. */
export const KERNEL_IDLE_TIMEOUT_MS = 600_000;

const STORAGE_KEY_PREFIX = 'modelarts-magics:helper:';

/** Options of {@link SharedKernel}. */
export interface SharedKernelOptions {
  /** The storage that the tabs share. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** The URL of the server, because one origin may have several servers. */
  readonly serverUrl: string;
  /** Clock and timers. */
  readonly timers: Timers;
}

/** Records the use of the kernel by this tab, and reads its use by others. */
export class SharedKernel {
  readonly #options: SharedKernelOptions;
  readonly #tabId = UUID.uuid4();
  readonly #storageKey: string;

  constructor(options: SharedKernelOptions) {
    this.#options = options;
    this.#storageKey = STORAGE_KEY_PREFIX + options.serverUrl;
  }

  /** The id of the kernel that a tab has started; empty when there is none. */
  get kernelId(): string {
    return asString(this.#stored().kernel);
  }

  /** Record that this tab uses the kernel. */
  markUsed(kernelId: string): void {
    this.#store(kernelId, {
      ...this.#otherTabs(kernelId),
      [this.#tabId]: this.#options.timers.now(),
    });
  }

  /** Record that this tab no longer uses the kernel; returns whether it should be shut down. */
  release(kernelId: string): boolean {
    if (this.kernelId !== kernelId) {
      // The other tabs use another kernel.
      return true;
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
      // If the storage cannot be used, each tab uses a kernel of its own.
    }
  }
}
