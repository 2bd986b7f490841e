/** Loads the autosave before it is needed, so that its code is not part of the page load. */

import type { IDisposable } from '@lumino/disposable';
import type { Timers } from '../countdown/clock';
import { asObject } from '../countdown/messages';
import { loadAhead } from '../manager/load-ahead';
import type { ManagerTicker } from '../manager/manager-ticker';
import { timeLeft } from '../text/status-text';
import type { IManager, SaveReport } from '../tokens';
import type { AutoSaver } from './autosave';

/** Options of {@link LazyAutoSaver}. */
export interface LazyAutoSaverOptions {
  /** Provides the stop time. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Load the code and create the autosave. */
  readonly load: () => Promise<AutoSaver>;
}

/** Loads the autosave when the stop is near, or when it is used. */
export class LazyAutoSaver implements IDisposable {
  readonly #options: LazyAutoSaverOptions;
  readonly #ticker: ManagerTicker;
  #autoSaver: Promise<AutoSaver> | null = null;
  #disposed = false;

  constructor(options: LazyAutoSaverOptions) {
    this.#options = options;
    this.#ticker = loadAhead(
      options,
      () => this.#neededInMs(),
      () => this.#load(),
    );
  }

  /** Whether the autosave is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop, and dispose of the autosave. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#ticker.dispose();
    void this.#autoSaver?.then((each) => {
      each.dispose();
    });
  }

  /** Save all modified documents of this tab now. Rejects if the code cannot be loaded. */
  async saveAll(): Promise<SaveReport> {
    return (await this.#load()).saveAll();
  }

  /** Return the milliseconds until documents are saved; `null` if that is not known. */
  #neededInMs(): number | null {
    const { manager } = this.#options;
    if (asObject(manager.payload?.keep).stop) {
      return 0;
    }
    const run = timeLeft(manager);
    return run && run.remainingMs - manager.preferences.saveMinutes * 60_000;
  }

  async #load(): Promise<AutoSaver> {
    this.#autoSaver ??= this.#options.load();
    try {
      const autoSaver = await this.#autoSaver;
      this.#ticker.dispose();
      return autoSaver;
    } catch (error) {
      this.#autoSaver = null;
      throw error;
    }
  }
}
