/** Saves dirty documents before the stop: one by one, each with a time limit, none of them blocking the rest. */

import { UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { RestartableTimer, type Timers, type Wakeup } from '../countdown/clock';
import type { BrowserLock } from '../browser/lock';
import { timeLeft } from '../text/status-text';
import { type IManager, isSameStopTime, type SaveReport } from '../tokens';

/** Why a document cannot be saved without asking a person. */
export type SaveBlocker = 'changed-on-disk' | 'no-file' | 'folder-missing' | 'read-only';

/** A document with changes that are not saved. */
export interface DirtyDocument {
  /** The same for the same document: two may have one path, each with changes of its own. */
  readonly key: object;
  readonly path: string;
  /** Why it must not be saved now; `null` when nothing is in the way. */
  findBlocker(): Promise<SaveBlocker | null>;
  /** Save it. */
  save(): Promise<void>;
}

/** How long one document may take. */
export const SAVE_TIMEOUT_MS = 10_000;
/** What has been changed since is saved once more this long before the stop. */
export const FINAL_SAVE_MS = 20_000;

/** What a saver is made of. */
export interface AutoSaverOptions {
  readonly manager: IManager;
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly lock: BrowserLock;
  /** The documents of this tab that are dirty now. */
  readonly dirtyDocuments: () => readonly DirtyDocument[];
}

/** What became of a document: `null` when it was saved, else why it was not. */
type SaveResult = { readonly path: string; readonly why: string | null };

/** Saves before each stop, and once more what was changed since. */
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

  /** Whether it is disposed of. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#timer.clear();
    this.#options.manager.changed.disconnect(this.#check, this);
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
  }

  /** Save everything that is dirty in this tab now, whenever the stop is. */
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

  /** Another stop than before: everything begins anew. */
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

  /** Save what is dirty; answers whether there was anything. */
  async #save(results: Map<object, SaveResult>): Promise<boolean> {
    const documents = this.#options.dirtyDocuments();
    for (const each of documents) {
      // Of two with one path, the later one notices that the file has changed.
      const save = (): Promise<string | null> => this.#saveDocument(each);
      const why = await this.#options.lock(`save:${each.path}`, save);
      results.set(each.key, { path: each.path, why });
    }
    return documents.length > 0;
  }

  /** Save a document; answers why it was not. */
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
  const saved = all.filter(({ why }) => why === null).map(({ path }) => path);
  const notSaved = all.flatMap(({ path, why }) => (why === null ? [] : [{ path, why }]));
  return { saved: [...new Set(saved)], notSaved };
}
