/** Loads the autosave before it is needed, so that its code is not part of the page load. */

import type { IDisposable } from '@lumino/disposable';
import type { Timers } from '../countdown/clock';
import { asObject } from '../countdown/messages';
import { ManagerTicker } from '../manager/manager-ticker';
import { timeLeft } from '../text/status-text';
import type { IManager, SaveReport } from '../tokens';
import type { AutoSaver } from './autosave';

/** The code is loaded this many milliseconds before the first documents are saved. */
const LOAD_AHEAD_MS = 300_000;
/** Milliseconds after which loading is tried again. */
const RETRY_MS = 10_000;

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
    this.#ticker = new ManagerTicker(options, () => this.#check());
    this.#ticker.update();
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

  /** Load the code if it is time; returns the milliseconds until the next check. */
  #check(): number | null {
    const { manager } = this.#options;
    const isStopPlanned = asObject(manager.payload?.keep).stop;
    if (!isStopPlanned) {
      const run = timeLeft(manager);
      if (run === null) {
        return null;
      }
      const waitMs = run.remainingMs - manager.preferences.saveMinutes * 60_000 - LOAD_AHEAD_MS;
      if (waitMs > 0) {
        return waitMs;
      }
    }
    // The server may be reachable the next time.
    this.#load().catch(() => undefined);
    return RETRY_MS;
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
