/**
 * Reminders before the stop, shown once per stop time and level in all tabs together.
 *
 * The folder `reminders/` exports the reminders and the notifications that show them. It may import
 * from `browser/`, `commands/`, `countdown/`, `manager/`, `text/` and `tokens`.
 */

import type { IDisposable } from '@lumino/disposable';
import type { OncePerBrowser } from '../browser/once-per-browser';
import { RestartableTimer, type Timers } from '../countdown/clock';
import { ManagerTicker } from '../manager/manager-ticker';
import { timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime } from '../tokens';

/** A hidden tab waits for this long, so that a visible one shows the reminder first. */
const HIDDEN_TAB_DELAY_MS = 2_000;
/** Milliseconds for which a reminder waits for the server's response. */
const REFRESH_TIMEOUT_MS = 2_000;
/** A reminder is taken back if the time left turns out to be this much longer. */
const TAKE_BACK_MS = 60_000;

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

/** A level and a stop time for which this tab has shown a reminder, or another tab has. */
interface Mark {
  readonly key: string;
  readonly levelMinutes: number;
  readonly stopsAtMs: number;
}

/**
 * Shows each reminder when it is due.
 *
 * The time is the one that the server's clock has certainly reached, so after a sleep, or when the
 * local clock was set, a reminder waits until the manager has read the server's time again.
 */
export class Reminders implements IDisposable {
  readonly #options: RemindersOptions;
  readonly #ticker: ManagerTicker;
  readonly #hiddenTabTimer: RestartableTimer;
  #mark: Mark | null = null;
  #stopsAtMs = -Infinity;
  #isConfirming = false;
  #dismiss: (() => void) | null = null;

  constructor(options: RemindersOptions) {
    this.#options = options;
    this.#hiddenTabTimer = new RestartableTimer(options.timers);
    this.#ticker = new ManagerTicker(options, () => this.#check());
    this.#ticker.update();
  }

  /** Whether the reminders are disposed. */
  get isDisposed(): boolean {
    return this.#ticker.isDisposed;
  }

  /** Stop, and dismiss the shown reminder. May be called more than once. */
  dispose(): void {
    this.#ticker.dispose();
    this.#hiddenTabTimer.clear();
    this.#dismissShown();
  }

  /** Show or take back a reminder; returns the milliseconds until the next level or the stop. */
  #check(): number | null {
    const due = this.#findDue();
    this.#takeBack(due);
    if (due !== null && due.levelMinutes !== null && !this.#isConfirming && !this.#isMarked(due)) {
      this.#showSoon();
    }
    return due && due.nextCheckMs;
  }

  #showSoon(): void {
    if (this.#options.isVisible()) {
      void this.#confirmAndShow();
    } else if (!this.#hiddenTabTimer.pending) {
      this.#hiddenTabTimer.set(HIDDEN_TAB_DELAY_MS, () => void this.#confirmAndShow());
    }
  }

  #findDue(): DueReminder | null {
    const { manager } = this.#options;
    const run = timeLeft(manager, manager.clock.earliestNow());
    if (run === null || manager.payload?.remindersMuted !== false) {
      return null;
    }
    const { remainingMs, stopsAtMs, remainingS } = run;
    const levels = manager.preferences.remindMinutes;
    const passedLevels = levels.filter((minutes) => remainingMs <= minutes * 60_000);
    const comingLevels = levels.filter((minutes) => remainingMs > minutes * 60_000);
    return {
      ...{ stopsAtMs, remainingS },
      levelMinutes: passedLevels.length > 0 ? Math.min(...passedLevels) : null,
      nextCheckMs: msUntilNextCheck(remainingMs, comingLevels),
    };
  }

  #keyOf(levelMinutes: number): string {
    return `remind:${this.#options.manager.payload?.instance?.id ?? ''}:${levelMinutes}`;
  }

  #isMarked({ levelMinutes, stopsAtMs }: DueReminder): boolean {
    const mark = this.#mark;
    return (
      levelMinutes !== null &&
      mark?.key === this.#keyOf(levelMinutes) &&
      isSameStopTime(stopsAtMs, mark.stopsAtMs)
    );
  }

  /** Read the instance, and show the reminder if it is still due by the server's time. */
  async #confirmAndShow(): Promise<void> {
    this.#isConfirming = true;
    await this.#refreshWithTimeout();
    this.#isConfirming = false;
    const due = this.#findDue();
    if (due === null || due.levelMinutes === null || this.isDisposed || this.#isMarked(due)) {
      return;
    }
    const { levelMinutes, stopsAtMs } = due;
    const mark = { key: this.#keyOf(levelMinutes), levelMinutes, stopsAtMs };
    this.#mark = mark;
    if (await this.#options.oncePerBrowser.claim(mark.key, stopsAtMs)) {
      this.#show(mark);
    }
  }

  /** Show a reminder, unless the run was extended or a later reminder has become due meanwhile. */
  #show(mark: Mark): void {
    const due = this.#findDue();
    if (due !== null && this.#mark === mark && !this.isDisposed) {
      this.#dismissShown();
      this.#dismiss = this.#options.show(due);
    }
  }

  /** Read the instance again, because a page may have missed an extension. */
  async #refreshWithTimeout(): Promise<void> {
    const timeout = new Promise<void>((resolve) => {
      this.#options.timers.setTimeout(resolve, REFRESH_TIMEOUT_MS);
    });
    await Promise.race([this.#options.manager.refresh(), timeout]);
  }

  /** Dismiss the reminder that is no longer due, and forget what was shown for an earlier stop time. */
  #takeBack(due: DueReminder | null): void {
    const mark = this.#mark;
    if (due === null) {
      this.#dismissShown();
      return;
    }
    if (!isSameStopTime(due.stopsAtMs, this.#stopsAtMs)) {
      if (due.stopsAtMs > this.#stopsAtMs) {
        this.#forget(this.#options.manager.preferences.remindMinutes, this.#stopsAtMs);
      }
      this.#stopsAtMs = due.stopsAtMs;
      this.#mark = null;
      this.#dismissShown();
    } else if (mark && due.remainingS * 1000 > mark.levelMinutes * 60_000 + TAKE_BACK_MS) {
      // The server's clock was wrong before.
      this.#forget([mark.levelMinutes], mark.stopsAtMs);
      this.#mark = null;
      this.#dismissShown();
    }
  }

  #forget(levels: readonly number[], stopsAtMs: number): void {
    for (const minutes of levels) {
      this.#options.oncePerBrowser.forget(this.#keyOf(minutes), stopsAtMs);
    }
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
