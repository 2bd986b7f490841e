/**
 * Saves modified documents before the stop, one after another and each with a time limit.
 *
 * The folder `autosave/` exports the autosave and the function that finds modified documents. It may
 * import from `browser/`, `countdown/`, `text/` and `tokens`.
 */

import { UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { BrowserLock } from '../browser/lock';
import { RestartableTimer, type Timers, type Wakeup } from '../countdown/clock';
import { timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime, type SaveReport } from '../tokens';

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

/** Options of {@link AutoSaver}. */
export interface AutoSaverOptions {
  /** Provides the stop time and receives the report. */
  readonly manager: IManager;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Page events after which the time left is evaluated. */
  readonly wakeups: readonly Wakeup[];
  /** The lock that the tabs share. */
  readonly lock: BrowserLock;
  /** Return the modified documents of this tab. */
  readonly dirtyDocuments: () => readonly DirtyDocument[];
}

/** The result for a document: why it was not saved, or `null`. */
type SaveResult = { readonly path: string; readonly reason: string | null };

/** Saves modified documents before each stop, in two passes. */
export class AutoSaver implements IDisposable {
  readonly #options: AutoSaverOptions;
  readonly #timer: RestartableTimer;
  readonly #tabId = UUID.uuid4();
  readonly #results = new Map<object, SaveResult>();
  #stopsAtMs = -Infinity;
  #passesDone = 0;
  #disposed = false;

  constructor(options: AutoSaverOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
    options.manager.changed.connect(this.#check, this);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWakeup);
    }
    this.#check();
  }

  /** Whether the autosave is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#timer.clear();
    this.#options.manager.changed.disconnect(this.#check, this);
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
  }

  /** Save all modified documents of this tab now, independently of the stop time. */
  async saveAll(): Promise<SaveReport> {
    const results = new Map<object, SaveResult>();
    await this.#save(results);
    return toSaveReport(results);
  }

  readonly #onWakeup = (): void => {
    this.#check();
  };

  #check(): void {
    const { saveBeforeStop, saveMinutes } = this.#options.manager.preferences;
    const run = timeLeft(this.#options.manager);
    if (run === null || !saveBeforeStop) {
      return;
    }
    this.#resetForNewStop(run.stopsAtMs);
    const passes = [saveMinutes * 60_000, FINAL_SAVE_MS];
    const due = passes.filter((ms) => run.remainingMs <= ms).length;
    const next = passes[due];
    if (next !== undefined) {
      this.#timer.set(run.remainingMs - next, this.#onWakeup);
    }
    if (due > this.#passesDone) {
      this.#passesDone = due;
      void this.#saveBeforeStop(run.stopsAtMs);
    }
  }

  /** Start over if the stop time has changed. */
  #resetForNewStop(stopsAtMs: number): void {
    if (!isSameStopTime(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#passesDone = 0;
      this.#results.clear();
    }
  }

  async #saveBeforeStop(stopsAtMs: number): Promise<void> {
    if (await this.#save(this.#results)) {
      await this.#options.manager.reportSaved(stopsAtMs, toSaveReport(this.#results), this.#tabId);
    }
  }

  /** Save the modified documents; returns whether there were any. */
  async #save(results: Map<object, SaveResult>): Promise<boolean> {
    const documents = this.#options.dirtyDocuments();
    for (const each of documents) {
      // If two have the same path, the second one is found to have changed on disk.
      const save = (): Promise<string | null> => this.#saveDocument(each);
      const reason = await this.#options.lock(`save:${each.path}`, save);
      results.set(each.key, { path: each.path, reason });
    }
    return documents.length > 0;
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

function toSaveReport(results: ReadonlyMap<object, SaveResult>): SaveReport {
  const all = [...results.values()];
  const saved = all.filter(({ reason }) => reason === null).map(({ path }) => path);
  const notSaved = all.flatMap(({ path, reason }) => (reason === null ? [] : [{ path, reason }]));
  return { saved: [...new Set(saved)], notSaved };
}
