/** Repeated evaluation of the manager's state. */

import type { IDisposable } from '@lumino/disposable';
import { Ticker, type Timers } from '../countdown/clock';
import type { IManager } from '../tokens';

/** Options of {@link ManagerTicker}. */
export interface ManagerTickerOptions {
  /** Provides the state. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
}

/** Calls `evaluate` at each change of the manager, and after the delay that it has returned. */
export class ManagerTicker implements IDisposable {
  readonly #manager: IManager;
  readonly #ticker: Ticker;
  #disposed = false;

  /**
   * @param options - the manager and the timers
   * @param evaluate - returns the milliseconds until the next call, `null` for none
   */
  constructor({ manager, timers }: ManagerTickerOptions, evaluate: () => number | null) {
    this.#manager = manager;
    this.#ticker = new Ticker({ timers, wakeups: [], evaluate });
    manager.changed.connect(this.#onChanged, this);
  }

  /** Whether it is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Evaluate now and schedule the next evaluation. */
  update(): void {
    this.#ticker.update();
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#ticker.dispose();
    this.#manager.changed.disconnect(this.#onChanged, this);
  }

  #onChanged(): void {
    this.update();
  }
}
