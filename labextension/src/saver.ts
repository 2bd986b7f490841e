/** Saves dirty documents before the stop: one by one, each with a time limit, none of them blocking the rest. */

import type { IDisposable } from '@lumino/disposable';
import { Alarm, type Timers, type Wakeup } from './countdown/clock';
import type { Claim } from './once';
import { counting } from './sentences';
import type { IManager, NotSaved, SavedReport } from './tokens';

/** Why a document cannot be saved without asking a person. */
export type Obstacle = 'changed-on-disk' | 'never-named' | 'read-only';

/** A document with changes that are not saved. */
export interface DirtyDocument {
  readonly path: string;
  /** Why it must not be saved now; `null` when nothing is in the way. */
  obstacle(): Promise<Obstacle | null>;
  /** Save it. */
  save(): Promise<void>;
}

/** How long one document may take. */
export const LIMIT_MS = 10_000;

/** What a saver is made of. */
export interface SaverOptions {
  readonly manager: IManager;
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly claim: Claim;
  /** The documents of this tab that are dirty now. */
  readonly dirty: () => readonly DirtyDocument[];
}

/** Saves once for each stop time. */
export class Saver implements IDisposable {
  readonly #options: SaverOptions;
  readonly #alarm: Alarm;
  #doneFor: number | null = null;
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
  saveAll(): Promise<SavedReport> {
    return this.#save(this.#options.dirty());
  }

  readonly #onWake = (): void => {
    this.#look();
  };

  #look(): void {
    this.#alarm.clear();
    const { saveBeforeStop, saveMinutes } = this.#options.manager.preferences;
    const run = counting(this.#options.manager);
    if (run === null || !saveBeforeStop || this.#doneFor === run.stopsAtMs) {
      return;
    }
    const waitMs = run.leftMs - saveMinutes * 60_000;
    if (waitMs > 0) {
      this.#alarm.set(waitMs, this.#onWake);
    } else {
      this.#doneFor = run.stopsAtMs;
      void this.#beforeStop(run.stopsAtMs);
    }
  }

  async #beforeStop(stopsAtMs: number): Promise<void> {
    const mine: DirtyDocument[] = [];
    for (const each of this.#options.dirty()) {
      if (await this.#options.claim(`save:${each.path}`, stopsAtMs)) {
        mine.push(each);
      }
    }
    if (mine.length > 0) {
      await this.#options.manager.report(stopsAtMs, await this.#save(mine));
    }
  }

  async #save(documents: readonly DirtyDocument[]): Promise<SavedReport> {
    const saved: string[] = [];
    const notSaved: NotSaved[] = [];
    for (const each of documents) {
      const why = await this.#saveOne(each);
      if (why === null) {
        saved.push(each.path);
      } else {
        notSaved.push({ path: each.path, why });
      }
    }
    return { saved, notSaved };
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
