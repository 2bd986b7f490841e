/** Reminders before the stop: once for each stop time and level, over all tabs together. */

import type { IDisposable } from '@lumino/disposable';
import { RestartableTimer, type Timers, type Wakeup } from '../countdown/clock';
import type { OncePerBrowser } from '../browser/once-per-browser';
import { timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime } from '../tokens';

/** A tab that nobody sees lets one that somebody sees go first. */
const HIDDEN_TAB_DELAY_MS = 2_000;
/** How long a server that does not answer may hold up a reminder. */
const REFRESH_TIMEOUT_MS = 2_000;

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
  readonly isVisible: () => boolean;
  readonly oncePerBrowser: OncePerBrowser;
  /** Show a reminder; answers what takes it away again. */
  readonly show: (reminder: Reminder) => () => void;
}

/** The moment of a reminder, as now known. */
interface DueReminder extends Reminder {
  readonly levelMinutes: number | null;
  /** Until the next level, or the stop itself. */
  readonly nextCheckMs: number;
}

/** Shows a reminder when its time has come. */
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

  /** Whether it is disposed of. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop for good, and take away what is shown. Calling it twice is fine. */
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

  /** Read once more: a tab that nobody saw for a while may have missed an extension. */
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

/** When to look again: at the next level, at the stop itself. */
function msUntilNextCheck(leftMs: number, comingMinutes: readonly number[]): number {
  return leftMs - Math.max(0, ...comingMinutes) * 60_000;
}
