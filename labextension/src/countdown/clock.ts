/**
 * Which time it is by the server's clock, and when to look again. Timers, local clock and the
 * page's events are parameters, so that a test runs a day in a millisecond.
 */

/** The local clock and timers. */
export interface Timers {
  /** Local wall clock, milliseconds since 1970. */
  now(): number;
  /** Milliseconds on a clock that nobody sets. */
  monotonic(): number;
  setTimeout(callback: () => void, delayMs: number): number;
  clearTimeout(id: number): void;
}

/** The browser's own clock and timers. */
export const browserTimers: Timers = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, delayMs) => window.setTimeout(callback, delayMs),
  clearTimeout: (id) => {
    window.clearTimeout(id);
  },
};

/** One timer that can be set anew, so that there is never a second one. */
export class RestartableTimer {
  readonly #timers: Timers;
  #id: number | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Whether it is still to ring. */
  get pending(): boolean {
    return this.#id !== null;
  }

  /** Ring in so many milliseconds, and not at the time set before. */
  set(delayMs: number, callback: () => void): void {
    this.clear();
    this.#id = this.#timers.setTimeout(() => {
      this.#id = null;
      callback();
    }, delayMs);
  }

  /** Do not ring. */
  clear(): void {
    this.#timers.clearTimeout(this.#id ?? 0);
    this.#id = null;
  }
}

/** Wall clock and monotonic clock apart by more than this: the machine slept or its clock was set. */
const CLOCK_JUMP_MS = 5_000;

/**
 * The server's clock as this page can know it: the local clock plus an offset taken when a fresh
 * message arrived. The offset is never read from saved state, where "now" is stale.
 */
export class ServerClock {
  readonly #timers: Timers;
  #offsetMs = 0;
  #driftMs: number;
  #syncedAtMs: number | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
    this.#driftMs = this.#measureDriftMs();
  }

  /** Whether the offset comes from a fresh message and nothing shook the local clock since. */
  get isSynced(): boolean {
    return this.#syncedAtMs !== null;
  }

  /** Milliseconds since the offset was taken; `Infinity` when there is none to rely on. */
  get ageMs(): number {
    return this.#syncedAtMs === null ? Infinity : this.#timers.monotonic() - this.#syncedAtMs;
  }

  /** The server's time now, in milliseconds since 1970. */
  now(): number {
    return this.#timers.now() + this.#offsetMs;
  }

  /** Take the offset from a message that has just arrived. */
  sync(serverNowMs: number): void {
    this.#offsetMs = Math.round(serverNowMs - this.#timers.now());
    this.#driftMs = this.#measureDriftMs();
    this.#syncedAtMs = this.#timers.monotonic();
  }

  /**
   * Whether the local clock jumped since the last look. After a jump the offset is kept (a machine
   * that slept keeps its offset) but no longer counts as checked (one whose clock was set does not).
   */
  detectJump(): boolean {
    const drift = this.#measureDriftMs();
    if (Math.abs(drift - this.#driftMs) <= CLOCK_JUMP_MS) {
      return false;
    }
    this.#driftMs = drift;
    this.#syncedAtMs = null;
    return true;
  }

  #measureDriftMs(): number {
    return this.#timers.now() - this.#timers.monotonic();
  }
}

/** An event after which a page may have missed ticks. */
export type Wakeup = readonly [target: EventTarget, type: string];

/** The events of a page that was hidden, frozen, offline or asleep. */
export function browserWakeups(): readonly Wakeup[] {
  return [
    [document, 'visibilitychange'],
    [window, 'pageshow'],
    [window, 'focus'],
    [window, 'online'],
  ];
}

/** What a {@link Ticker} is made of. */
export interface TickerOptions {
  readonly timers: Timers;
  /** Look at the clock and show it; answers the milliseconds until the next look, `null` for none. */
  readonly evaluate: () => number | null;
  readonly wakeups: readonly Wakeup[];
  /** Called before the evaluation that a wake-up event causes. */
  readonly beforeWakeup?: () => void;
}

/**
 * Calls `evaluate` again and again, each time as late as it asks for. It counts nothing: a timer
 * that fires late, or an hour late, only means that `evaluate` reads the clock later.
 */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #timer: RestartableTimer;
  #disposed = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWakeup);
    }
  }

  /** Evaluate now and schedule what follows. */
  update(): void {
    if (this.#disposed) {
      return;
    }
    const delayMs = this.#options.evaluate();
    if (delayMs !== null) {
      this.#timer.set(delayMs, () => {
        this.update();
      });
    }
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#timer.clear();
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
  }

  readonly #onWakeup = (): void => {
    this.#options.beforeWakeup?.();
    this.update();
  };
}
