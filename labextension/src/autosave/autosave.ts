/**
 * Saves modified documents before the stop, each with a time limit.
 *
 * The folder `autosave/` exports the autosave and the function that finds modified documents. It may
 * import from `browser/`, `countdown/`, `manager/`, `text/` and `tokens`.
 */

import { UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { BrowserLock } from '../browser/lock';
import { RestartableTimer, type Timers } from '../countdown/clock';
import { ManagerTicker } from '../manager/manager-ticker';
import { type TimeLeft, timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime, type SaveReport } from '../tokens';
import { PlannedStopSaver } from './planned-stop';

/** The reason why a document cannot be saved without a prompt. */
export type SaveBlocker = 'changed-on-disk' | 'no-file' | 'folder-missing' | 'read-only';

/** A document with unsaved changes. */
export interface DirtyDocument {
  /** Identifies the document. Two documents can have the same path. */
  readonly key: object;
  /** The path of its file. */
  readonly path: string;
  /** Return why it cannot be saved without a prompt; `null` when it can. */
  findBlocker(): Promise<SaveBlocker | null>;
  /** Save the document. */
  save(): Promise<void>;
}

/** The time limit for one document in milliseconds. */
export const SAVE_TIMEOUT_MS = 10_000;
/** Documents modified since the first pass are saved again this many milliseconds before the stop. */
export const FINAL_SAVE_MS = 20_000;
/** A document that could not be saved is tried again after this many milliseconds. */
export const SAVE_RETRY_MS = 15_000;

/** Options of {@link AutoSaver}. */
export interface AutoSaverOptions {
  /** Provides the stop time and receives the report. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
  /** The lock that the tabs share. */
  readonly lock: BrowserLock;
  /** Return the modified documents of this tab. */
  readonly dirtyDocuments: () => readonly DirtyDocument[];
}

/** The last attempt to save a document. */
interface SaveAttempt {
  readonly path: string;
  /** When it started, by the monotonic clock in milliseconds. */
  readonly startedAtMs: number;
  /** Why the document was not saved, or `null`; absent before the first result. */
  readonly reason?: string | null;
}

/** The text of a report without documents, which is not sent. */
const EMPTY_REPORT = JSON.stringify({ saved: [], notSaved: [] });

/** The attempts to save, by document. */
type SaveAttempts = Map<object, SaveAttempt>;

/**
 * Saves modified documents before each stop, in two passes. A document that could not be saved is
 * tried again while time remains.
 */
export class AutoSaver implements IDisposable {
  readonly #options: AutoSaverOptions;
  readonly #ticker: ManagerTicker;
  readonly #tabId = UUID.uuid4();
  readonly #plannedStop: PlannedStopSaver;
  #attempts: SaveAttempts = new Map();
  #sentReport = EMPTY_REPORT;
  #isReporting = false;
  #stopsAtMs = -Infinity;
  #passesDone = 0;

  constructor(options: AutoSaverOptions) {
    this.#options = options;
    const { manager } = options;
    this.#plannedStop = new PlannedStopSaver({
      manager,
      tab: this.#tabId,
      saveAll: () => this.saveAll(),
    });
    this.#ticker = new ManagerTicker(options, () => this.#check());
    this.#ticker.update();
  }

  /** Whether the autosave is disposed. */
  get isDisposed(): boolean {
    return this.#ticker.isDisposed;
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#ticker.dispose();
  }

  /** Save all modified documents of this tab now, independently of the stop time. */
  async saveAll(): Promise<SaveReport> {
    const attempts: SaveAttempts = new Map();
    await this.#save(this.#options.dirtyDocuments(), attempts);
    return toSaveReport(attempts);
  }

  /** Save what is due; returns the milliseconds until the next pass or attempt. */
  #check(): number | null {
    this.#plannedStop.update();
    const run = this.#currentRun();
    if (run === null) {
      return null;
    }
    this.#resetForNewStop(run.stopsAtMs);
    const passes = [this.#options.manager.preferences.saveMinutes * 60_000, FINAL_SAVE_MS];
    const due = passes.filter((ms) => run.remainingMs <= ms).length;
    const documents = this.#options.dirtyDocuments();
    const wanted = this.#documentsToSave(documents, due);
    if (this.#dropSettled(documents) || wanted.length > 0) {
      void this.#saveBeforeStop(wanted, run.stopsAtMs);
    }
    const nextPassMs = passes[due];
    const delayMs = Math.min(
      nextPassMs === undefined ? Infinity : run.remainingMs - nextPassMs,
      ...documents.map((each) => this.#untilRetryMs(each)),
    );
    return delayMs < Infinity ? delayMs : null;
  }

  /** Return the run whose documents are to be saved; `null` when there is none, or its time is uncertain. */
  #currentRun(): TimeLeft | null {
    const { manager } = this.#options;
    // While the manager reads the server's time again, the time left may be wrong.
    const isUncertain = manager.clock.isSuspect && manager.failure === null;
    return manager.preferences.saveBeforeStop && !isUncertain ? timeLeft(manager) : null;
  }

  /** Return the documents to save now: in a new pass all of them, later those that are tried again. */
  #documentsToSave(
    documents: readonly DirtyDocument[],
    passesDue: number,
  ): readonly DirtyDocument[] {
    const isNewPass = passesDue > this.#passesDone;
    // This is less than before if the server's clock was wrong.
    this.#passesDone = passesDue;
    return documents.filter(
      (each) => isNewPass || (passesDue > 0 && this.#untilRetryMs(each) <= 0),
    );
  }

  /** Return the milliseconds until a document is tried again; `Infinity` if it is not. */
  #untilRetryMs({ key }: DirtyDocument): number {
    const attempt = this.#attempts.get(key);
    return attempt?.reason
      ? attempt.startedAtMs + SAVE_RETRY_MS - this.#options.timers.monotonic()
      : Infinity;
  }

  /** Forget failed documents that are no longer modified; returns whether there were any. */
  #dropSettled(documents: readonly DirtyDocument[]): boolean {
    const dirtyKeys = new Set(documents.map(({ key }) => key));
    const settled = [...this.#attempts].filter(
      ([key, { reason }]) => reason && !dirtyKeys.has(key),
    );
    for (const [key] of settled) {
      this.#attempts.delete(key);
    }
    return settled.length > 0;
  }

  /** Start over if the stop time has changed. */
  #resetForNewStop(stopsAtMs: number): void {
    if (!isSameStopTime(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#passesDone = 0;
      this.#attempts = new Map();
      this.#sentReport = EMPTY_REPORT;
    }
  }

  async #saveBeforeStop(documents: readonly DirtyDocument[], stopsAtMs: number): Promise<void> {
    const attempts = this.#attempts;
    await this.#save(documents, attempts, () => void this.#sendReport(stopsAtMs));
    await this.#sendReport(stopsAtMs);
    this.#ticker.update();
  }

  /** Report the results. Those that arrive during a report are in the next one. */
  async #sendReport(stopsAtMs: number): Promise<void> {
    while (!this.#isReporting && isSameStopTime(stopsAtMs, this.#stopsAtMs)) {
      const report = toSaveReport(this.#attempts);
      const text = JSON.stringify(report);
      if (text === this.#sentReport) {
        return;
      }
      this.#sentReport = text;
      this.#isReporting = true;
      await this.#options.manager.reportSaved(stopsAtMs, report, this.#tabId);
      this.#isReporting = false;
    }
  }

  /** Save documents and set their results, all at once, so that none waits for another one. */
  async #save(
    documents: readonly DirtyDocument[],
    attempts: SaveAttempts,
    onResult: () => void = () => undefined,
  ): Promise<void> {
    const startedAtMs = this.#options.timers.monotonic();
    for (const { key, path } of documents) {
      attempts.set(key, { ...attempts.get(key), path, startedAtMs });
    }
    const saveOne = async (document: DirtyDocument): Promise<void> => {
      const { key, path } = document;
      // If two have the same path, the second one is found to have changed on disk.
      const reason = await this.#options.lock(`save:${path}`, () => this.#saveDocument(document));
      attempts.set(key, { path, startedAtMs, reason });
      onResult();
    };
    await Promise.all(documents.map(saveOne));
  }

  /** Save a document; returns why it was not saved, or `null`. */
  async #saveDocument(document: DirtyDocument): Promise<string | null> {
    const timer = new RestartableTimer(this.#options.timers);
    const timeout = new Promise<string>((resolve) => {
      timer.set(SAVE_TIMEOUT_MS, () => {
        resolve('timed-out');
      });
    });
    const work = async (): Promise<string | null> => {
      const blocker = await document.findBlocker();
      if (blocker === null && timer.pending) {
        await document.save();
      }
      return blocker;
    };
    try {
      return await Promise.race([work(), timeout]);
    } catch {
      return 'failed';
    } finally {
      timer.clear();
    }
  }
}

function toSaveReport(attempts: SaveAttempts): SaveReport {
  const all = [...attempts.values()];
  const saved = all.filter(({ reason }) => reason === null).map(({ path }) => path);
  const notSaved = all.flatMap(({ path, reason }) => (reason ? [{ path, reason }] : []));
  return { saved: [...new Set(saved)], notSaved };
}
