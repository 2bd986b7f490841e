/** Saves dirty documents before the stop: one by one, each with a time limit, none of them blocking the rest. */

import { UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Alarm, type Timers, type Wakeup } from '../countdown/clock';
import type { Exclusive } from '../browser/lock';
import { counting } from '../text/status-text';
import { type IManager, isSameStop, type SavedReport } from '../tokens';

/** Why a document cannot be saved without asking a person. */
export type Obstacle = 'changed-on-disk' | 'never-named' | 'no-folder' | 'read-only';

/** A document with changes that are not saved. */
export interface DirtyDocument {
  /** The same for the same document: two may have one path, each with changes of its own. */
  readonly key: object;
  readonly path: string;
  /** Why it must not be saved now; `null` when nothing is in the way. */
  obstacle(): Promise<Obstacle | null>;
  /** Save it. */
  save(): Promise<void>;
}

/** How long one document may take. */
export const LIMIT_MS = 10_000;
/** What has been changed since is saved once more this long before the stop. */
export const LAST_MS = 20_000;

/** What a saver is made of. */
export interface SaverOptions {
  readonly manager: IManager;
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly exclusive: Exclusive;
  /** The documents of this tab that are dirty now. */
  readonly dirty: () => readonly DirtyDocument[];
}

/** What became of a document: `null` when it was saved, else why it was not. */
type Fate = { readonly path: string; readonly why: string | null };

/** Saves before each stop, and once more what was changed since. */
export class Saver implements IDisposable {
  readonly #options: SaverOptions;
  readonly #alarm: Alarm;
  readonly #tab = UUID.uuid4();
  readonly #fates = new Map<object, Fate>();
  #stopsAtMs = -Infinity;
  #passes = 0;
  #disposed = false;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.timers);
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

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#alarm.clear();
    this.#options.manager.changed.disconnect(this.#look, this);
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWake);
    }
  }

  /** Save everything that is dirty in this tab now, whenever the stop is. */
  async saveAll(): Promise<SavedReport> {
    const fates = new Map<object, Fate>();
    await this.#save(fates);
    return reportOf(fates);
  }

  readonly #onWake = (): void => {
    this.#look();
  };

  #look(): void {
    const { saveBeforeStop, saveMinutes } = this.#options.manager.preferences;
    const run = counting(this.#options.manager);
    if (run === null || !saveBeforeStop) {
      return;
    }
    this.#begin(run.stopsAtMs);
    const passes = [saveMinutes * 60_000, LAST_MS];
    const due = passes.filter((ms) => run.leftMs <= ms).length;
    const next = passes[due];
    if (next !== undefined) {
      this.#alarm.set(run.leftMs - next, this.#onWake);
    }
    if (due > this.#passes) {
      this.#passes = due;
      void this.#beforeStop(run.stopsAtMs);
    }
  }

  /** Another stop than before: everything begins anew. */
  #begin(stopsAtMs: number): void {
    if (!isSameStop(stopsAtMs, this.#stopsAtMs)) {
      this.#stopsAtMs = stopsAtMs;
      this.#passes = 0;
      this.#fates.clear();
    }
  }

  async #beforeStop(stopsAtMs: number): Promise<void> {
    if (await this.#save(this.#fates)) {
      await this.#options.manager.report(stopsAtMs, reportOf(this.#fates), this.#tab);
    }
  }

  /** Save what is dirty; answers whether there was anything. */
  async #save(fates: Map<object, Fate>): Promise<boolean> {
    const documents = this.#options.dirty();
    for (const each of documents) {
      // Of two with one path, the later one notices that the file has changed.
      const save = (): Promise<string | null> => this.#saveOne(each);
      const why = await this.#options.exclusive(`save:${each.path}`, save);
      fates.set(each.key, { path: each.path, why });
    }
    return documents.length > 0;
  }

  /** Save a document; answers why it was not. */
  async #saveOne(document: DirtyDocument): Promise<string | null> {
    const limit = new Alarm(this.#options.timers);
    const late = new Promise<string>((resolve) => {
      limit.set(LIMIT_MS, () => {
        resolve('timed-out');
      });
    });
    const work = async (): Promise<string | null> => {
      const obstacle = await document.obstacle();
      if (obstacle === null && limit.pending) {
        await document.save();
      }
      return obstacle;
    };
    try {
      return await Promise.race([work(), late]);
    } catch {
      return 'failed';
    } finally {
      limit.clear();
    }
  }
}

function reportOf(fates: ReadonlyMap<object, Fate>): SavedReport {
  const all = [...fates.values()];
  const saved = all.filter(({ why }) => why === null).map(({ path }) => path);
  const notSaved = all.flatMap(({ path, why }) => (why === null ? [] : [{ path, why }]));
  return { saved: [...new Set(saved)], notSaved };
}
