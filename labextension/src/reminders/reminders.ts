/**
 * Reminders before the stop, shown once per stop time and level in all tabs together.
 *
 * The folder `reminders/` exports the reminders and the notifications that show them. It may import
 * from `browser/`, `commands/`, `countdown/`, `text/` and `tokens`.
 */

import type { IDisposable } from '@lumino/disposable';
import type { OncePerBrowser } from '../browser/once-per-browser';
import { RestartableTimer, type Timers, type Wakeup } from '../countdown/clock';
import { timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime } from '../tokens';

/** A hidden tab waits for this long, so that a visible one shows the reminder first. */
const HIDDEN_TAB_DELAY_MS = 2_000;
/** Milliseconds for which a reminder waits for the server's response. */
const REFRESH_TIMEOUT_MS = 2_000;

/** A reminder. */
export interface Reminder {
  /** The stop time in milliseconds since 1970. */
  readonly stopsAtMs: number;
  /** The time left in seconds. */
  readonly remainingS: number;
}

/** Options of {@link Reminders}. */
export interface RemindersOptions {
  /** Provides the state. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Page events after which the time left is evaluated. */
  readonly wakeups: readonly Wakeup[];
  /** Return whether the page is visible. */
  readonly isVisible: () => boolean;
  /** Selects the tab that shows a reminder. */
  readonly oncePerBrowser: OncePerBrowser;
  /** Show a reminder; returns the function that dismisses it. */
  readonly show: (reminder: Reminder) => () => void;
}

/** The current time left and the reminder that is due. */
interface DueReminder extends Reminder {
  /** Minutes before the stop of the reminder; `null` when none is due. */
  readonly levelMinutes: number | null;
  /** Milliseconds until the next level or the stop. */
  readonly nextCheckMs: number;
}

/** Shows each reminder when it is due. */
export class Reminders implements IDisposable {
  readonly #options: RemindersOptions;
  readonly #timer: RestartableTimer;
  readonly #hiddenTabTimer: RestartableTimer;
  #lastReminded = { key: '', stopsAtMs: -Infinity };
  #dismiss: (() => void) | null = null;
  #shownStopsAtMs = -Infinity;
  #disposed = false;

  constructor(options: RemindersOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
    this.#hiddenTabTimer = new RestartableTimer(options.timers);
    options.manager.changed.connect(this.#check, this);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWakeup);
    }
    this.#check();
  }

  /** Whether the reminders are disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop, and dismiss the shown reminder. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#timer.clear();
    this.#hiddenTabTimer.clear();
    this.#dismissShown();
    this.#options.manager.changed.disconnect(this.#check, this);
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
  }

  readonly #onWakeup = (): void => {
    this.#check();
  };

  #check(): void {
    const due = this.#findDue();
    if (due === null || !isSameStopTime(due.stopsAtMs, this.#shownStopsAtMs)) {
      this.#dismissShown();
    }
    if (due === null) {
      return;
    }
    this.#timer.set(due.nextCheckMs, this.#onWakeup);
    if (due.levelMinutes !== null) {
      this.#remind(due, due.levelMinutes);
    }
  }

  #findDue(): DueReminder | null {
    const { payload, preferences } = this.#options.manager;
    const run = timeLeft(this.#options.manager);
    if (run === null || payload?.remindersMuted !== false) {
      return null;
    }
    const { remainingMs, stopsAtMs, remainingS } = run;
    const passedLevels = preferences.remindMinutes.filter(
      (minutes) => remainingMs <= minutes * 60_000,
    );
    const comingLevels = preferences.remindMinutes.filter(
      (minutes) => remainingMs > minutes * 60_000,
    );
    return {
      ...{ stopsAtMs, remainingS },
      levelMinutes: passedLevels.length > 0 ? Math.min(...passedLevels) : null,
      nextCheckMs: msUntilNextCheck(remainingMs, comingLevels),
    };
  }

  #remind(due: DueReminder, levelMinutes: number): void {
    const key = `${this.#options.manager.payload?.instance?.id ?? ''}:${levelMinutes}`;
    const { stopsAtMs } = due;
    const alreadyReminded =
      key === this.#lastReminded.key && isSameStopTime(stopsAtMs, this.#lastReminded.stopsAtMs);
    if (alreadyReminded || this.#hiddenTabTimer.pending) {
      return;
    }
    const show = (): void => {
      this.#lastReminded = { key, stopsAtMs };
      void this.#show(key, stopsAtMs);
    };
    if (this.#options.isVisible()) {
      show();
    } else {
      this.#hiddenTabTimer.set(HIDDEN_TAB_DELAY_MS, show);
    }
  }

  async #show(key: string, stopsAtMs: number): Promise<void> {
    if (!(await this.#options.oncePerBrowser(`remind:${key}`, stopsAtMs))) {
      return;
    }
    await this.#refreshBeforeShowing();
    const due = this.#findDue();
    if (due !== null && isSameStopTime(due.stopsAtMs, stopsAtMs) && !this.#disposed) {
      this.#dismissShown();
      this.#dismiss = this.#options.show(due);
      this.#shownStopsAtMs = stopsAtMs;
    }
  }

  /** Read the instance again, because a hidden tab may have missed an extension. */
  async #refreshBeforeShowing(): Promise<void> {
    const timeout = new Promise<void>((resolve) => {
      this.#options.timers.setTimeout(resolve, REFRESH_TIMEOUT_MS);
    });
    await Promise.race([this.#options.manager.refresh(), timeout]);
  }

  #dismissShown(): void {
    this.#dismiss?.();
    this.#dismiss = null;
  }
}

/** Return the milliseconds until the next level or, after the last one, the stop. */
function msUntilNextCheck(leftMs: number, comingMinutes: readonly number[]): number {
  return leftMs - Math.max(0, ...comingMinutes) * 60_000;
}
