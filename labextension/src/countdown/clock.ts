/**
 * The server's clock, timers, and repeated evaluation. Timers, local clock and page events are
 * parameters, so that a test can simulate a day in a millisecond.
 */

/** The local clock and timers. */
export interface Timers {
  /** Return the local time in milliseconds since 1970. */
  now(): number;
  /** Return the milliseconds of a clock that cannot be set. */
  monotonic(): number;
  /** Call back once after a delay; returns the id of the timer. */
  setTimeout(callback: () => void, delayMs: number): number;
  /** Cancel a timer. */
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

/** A timer that can be set again, so that there is never a second one. */
export class RestartableTimer {
  readonly #timers: Timers;
  #id: number | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Whether the timer is set and has not fired yet. */
  get pending(): boolean {
    return this.#id !== null;
  }

  /** Fire after a delay, and no longer at the time set before. */
  set(delayMs: number, callback: () => void): void {
    this.clear();
    this.#id = this.#timers.setTimeout(() => {
      this.#id = null;
      callback();
    }, delayMs);
  }

  /** Cancel the timer. */
  clear(): void {
    this.#timers.clearTimeout(this.#id ?? 0);
    this.#id = null;
  }
}

/** A larger difference between the local and the monotonic clock means that one was set or slept. */
const CLOCK_JUMP_MS = 5_000;
/** After a longer request, the server's time in its response may be out of date. */
const MAX_EXCHANGE_MS = 30_000;

/**
 * An estimate of the server's clock: the server's time from the last message, counted on with the
 * monotonic clock, which cannot be set. It is never measured with a saved state, whose time is out
 * of date.
 *
 * When the local and the monotonic clock diverge, one cannot tell whether the local clock was set or
 * the monotonic clock stood still in a sleep. Then the clock is not synchronized until the next
 * message, and the later time of the two counts, so that no time left is too long.
 */
export class ServerClock {
  /** Whether a message has arrived, and the time has been reliable since. */
  protected synced = false;
  readonly #timers: Timers;
  readonly #onJump: () => void;
  #serverMs: number;
  #monotonicMs: number;
  #driftMs: number;

  /**
   * @param timers - the clocks
   * @param onJump - called when a synchronized clock is found to have jumped
   */
  constructor(timers: Timers, onJump: () => void = () => undefined) {
    this.#timers = timers;
    this.#onJump = onJump;
    this.#serverMs = timers.now();
    this.#monotonicMs = timers.monotonic();
    this.#driftMs = this.driftMs;
  }

  /** The local clock minus the monotonic clock, in milliseconds. */
  get driftMs(): number {
    return this.#timers.now() - this.#timers.monotonic();
  }

  /** Whether the server's time is known, and has been reliable since. */
  get isSynced(): boolean {
    if (this.synced && Math.abs(this.driftMs - this.#driftMs) > CLOCK_JUMP_MS) {
      this.synced = false;
      this.#onJump();
    }
    return this.synced;
  }

  /** Milliseconds since the last message; `Infinity` when the clock is not synchronized. */
  get ageMs(): number {
    return this.isSynced ? this.#timers.monotonic() - this.#monotonicMs : Infinity;
  }

  /** Return the server's time in milliseconds since 1970. */
  now(): number {
    return this.earliestNow() + (this.isSynced ? 0 : Math.max(0, this.driftMs - this.#driftMs));
  }

  /** Return the time that the server's clock has certainly reached: the monotonic clock never runs ahead. */
  earliestNow(): number {
    return Math.round(this.#serverMs + this.#timers.monotonic() - this.#monotonicMs);
  }

  /** Set the clock by the server's time from a message that has just arrived. */
  sync(serverNowMs: number): void {
    this.#serverMs = serverNowMs;
    this.#monotonicMs = this.#timers.monotonic();
    this.#driftMs = this.driftMs;
    this.synced = true;
  }
}

/** Both clocks at the moment at which a request was sent. */
export interface ClockReading {
  /** The monotonic clock in milliseconds. */
  readonly monotonicMs: number;
  /** The local clock minus the monotonic clock, in milliseconds. */
  readonly driftMs: number;
}

/** The clock that all views of a page share. Its owner reads the server's time again after a jump. */
export class SharedClock extends ServerClock {
  /** Whether a sleep is assumed after a jump, because the server's time cannot be read. */
  assumesSleep = false;
  readonly #monotonic: () => number;
  #hasSynced = false;

  /**
   * @param timers - the clocks
   * @param onJump - called when a synchronized clock is found to have jumped
   */
  constructor(timers: Timers, onJump?: () => void) {
    super(timers, onJump);
    this.#monotonic = () => timers.monotonic();
  }

  /** Whether the clock has jumped or the page has slept since the last message. */
  get isSuspect(): boolean {
    return this.#hasSynced && !this.isSynced;
  }

  /** Return the server's time in milliseconds since 1970. */
  override now(): number {
    return this.assumesSleep || !this.isSuspect ? super.now() : this.earliestNow();
  }

  /** Return both clocks, to pass them to {@link syncSince} with the response. */
  read(): ClockReading {
    return { monotonicMs: this.#monotonic(), driftMs: this.driftMs };
  }

  /**
   * Set the clock by the server's time from the response to a request.
   *
   * @param sent - the clocks when the request was sent
   * @param serverNowMs - the server's time when it responded
   * @returns `false` if the time is not used, because a clock has jumped since the request
   */
  syncSince(sent: ClockReading, serverNowMs: number): boolean {
    const isReliable =
      Math.abs(this.driftMs - sent.driftMs) <= CLOCK_JUMP_MS &&
      this.#monotonic() - sent.monotonicMs <= MAX_EXCHANGE_MS;
    if (isReliable) {
      this.sync(serverNowMs);
      this.#hasSynced = true;
    }
    return isReliable;
  }

  /** Do not rely on the clock until the next message, because the page may have slept. */
  invalidate(): void {
    this.synced = false;
  }
}

/** A page event after which timers may have been missed. */
export type Wakeup = readonly [target: EventTarget, type: string];

/** Return the events that follow after a page was hidden, frozen, offline or asleep. */
export function browserWakeups(): readonly Wakeup[] {
  return [
    [document, 'visibilitychange'],
    [window, 'pageshow'],
    [window, 'focus'],
    [window, 'online'],
  ];
}

/** Options of {@link Ticker}. */
export interface TickerOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Show the current time; returns the milliseconds until the next call, `null` for none. */
  readonly evaluate: () => number | null;
  /** Page events that cause an evaluation. */
  readonly wakeups: readonly Wakeup[];
  /** Called before the evaluation that a wake-up event causes. */
  readonly beforeWakeup?: () => void;
}

/**
 * Calls `evaluate` repeatedly, each time after the delay that it returned. It does not count ticks:
 * if a timer fires late, `evaluate` merely reads the clock later.
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

  /** Evaluate now and schedule the next evaluation. */
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

  /** Stop. May be called more than once. */
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
