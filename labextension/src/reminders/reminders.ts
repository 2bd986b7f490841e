/** Reminders before the stop: once for each stop time and level, over all tabs together. */

import type { IDisposable } from '@lumino/disposable';
import { Alarm, type Timers, type Wakeup } from '../countdown/clock';
import type { Claim } from '../browser/once-per-browser';
import { counting } from '../text/status-text';
import { type IManager, isSameStop } from '../tokens';

/** A tab that nobody sees lets one that somebody sees go first. */
const HIDDEN_MS = 2_000;
/** How long a server that does not answer may hold up a reminder. */
const SURE_MS = 2_000;

/** What is shown. */
export interface Reminder {
  readonly stopsAtMs: number;
  readonly remainingS: number;
}

/** What reminders are made of. */
export interface RemindersOptions {
  readonly manager: IManager;
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly visible: () => boolean;
  readonly claim: Claim;
  /** Show a reminder; answers what takes it away again. */
  readonly show: (reminder: Reminder) => () => void;
}

/** The moment of a reminder, as now known. */
interface Due extends Reminder {
  readonly level: number | null;
  /** Until the next level, or the stop itself. */
  readonly nextMs: number;
}

/** Shows a reminder when its time has come. */
export class Reminders implements IDisposable {
  readonly #options: RemindersOptions;
  readonly #alarm: Alarm;
  readonly #hidden: Alarm;
  #seen = { key: '', stopsAtMs: -Infinity };
  #takeAway: (() => void) | null = null;
  #shownFor = -Infinity;
  #disposed = false;

  constructor(options: RemindersOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.timers);
    this.#hidden = new Alarm(options.timers);
    options.manager.changed.connect(this.#look, this);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWake);
    }
    this.#look();
  }

  /** Whether it is disposed of. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop for good, and take away what is shown. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#alarm.clear();
    this.#hidden.clear();
    this.#clear();
    this.#options.manager.changed.disconnect(this.#look, this);
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWake);
    }
  }

  readonly #onWake = (): void => {
    this.#look();
  };

  #look(): void {
    const due = this.#due();
    if (due === null || !isSameStop(due.stopsAtMs, this.#shownFor)) {
      this.#clear();
    }
    if (due === null) {
      return;
    }
    this.#alarm.set(due.nextMs, this.#onWake);
    if (due.level !== null) {
      this.#come(due, due.level);
    }
  }

  #due(): Due | null {
    const { payload, preferences } = this.#options.manager;
    const run = counting(this.#options.manager);
    if (run === null || payload?.muted !== false) {
      return null;
    }
    const { leftMs, stopsAtMs, remainingS } = run;
    const passed = preferences.remindMinutes.filter((minutes) => leftMs <= minutes * 60_000);
    const coming = preferences.remindMinutes.filter((minutes) => leftMs > minutes * 60_000);
    return {
      ...{ stopsAtMs, remainingS },
      level: passed.length > 0 ? Math.min(...passed) : null,
      nextMs: nextLook(leftMs, coming),
    };
  }

  #come(due: Due, level: number): void {
    const key = `${this.#options.manager.payload?.instance?.id ?? ''}:${level}`;
    const { stopsAtMs } = due;
    const seen = key === this.#seen.key && isSameStop(stopsAtMs, this.#seen.stopsAtMs);
    if (seen || this.#hidden.pending) {
      return;
    }
    const show = (): void => {
      this.#seen = { key, stopsAtMs };
      void this.#show(key, stopsAtMs);
    };
    if (this.#options.visible()) {
      show();
    } else {
      this.#hidden.set(HIDDEN_MS, show);
    }
  }

  async #show(key: string, stopsAtMs: number): Promise<void> {
    if (!(await this.#options.claim(`remind:${key}`, stopsAtMs))) {
      return;
    }
    await this.#makeSure();
    const due = this.#due();
    if (due !== null && isSameStop(due.stopsAtMs, stopsAtMs) && !this.#disposed) {
      this.#clear();
      this.#takeAway = this.#options.show(due);
      this.#shownFor = stopsAtMs;
    }
  }

  /** Read once more: a tab that nobody saw for a while may have missed an extension. */
  async #makeSure(): Promise<void> {
    const late = new Promise<void>((resolve) => {
      this.#options.timers.setTimeout(resolve, SURE_MS);
    });
    await Promise.race([this.#options.manager.refresh(), late]);
  }

  #clear(): void {
    this.#takeAway?.();
    this.#takeAway = null;
  }
}

/** When to look again: at the next level, at the stop itself. */
function nextLook(leftMs: number, comingMinutes: readonly number[]): number {
  return leftMs - Math.max(0, ...comingMinutes) * 60_000;
}
