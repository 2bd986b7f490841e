/** Knows the instance: asks a backend, hears of news, says when something changed. */

import { type ISignal, Signal } from '@lumino/signaling';
import { Chain } from '../backend/fallback';
import { Alarm, ServerClock, type Timers, type Wakeup } from '../countdown/clock';
import {
  BackendError,
  DEFAULTS,
  type BackendKind,
  type BackendRequest,
  type Edit,
  type Finding,
  type IBackend,
  type IManager,
  type News,
  type Outcome,
  type Payload,
  type Preferences,
  isSameStop,
  type SavedReport,
} from '../tokens';
import { fields } from '../countdown/messages';
import { Pace } from './refresh-timer';
import { readChange, readFindings, readPayload, readRefusal } from '../backend/validate';

/** News come in bursts; they are answered by one reading this much later. */
const SETTLE_MS = 30;

/** What a manager is made of. */
export interface ManagerOptions {
  /** Who could answer, in the order to try. */
  readonly backends: readonly (() => IBackend)[];
  readonly timers: Timers;
  /** After these events of the page, news may have been missed. */
  readonly wakeups: readonly Wakeup[];
  /** Whether somebody can see the page. */
  readonly visible: () => boolean;
  /** Calls the listener with each event; answers what ends that. */
  readonly listen: (listener: (news: News) => void) => () => void;
}

/** The manager. All of its timers, streams and events come from its options. */
export class Manager implements IManager {
  readonly clock: ServerClock;
  readonly #options: ManagerOptions;
  readonly #changed = new Signal<IManager, void>(this);
  readonly #settle: Alarm;
  readonly #pace: Pace;
  readonly #unlisten: () => void;
  readonly #chain: Chain;
  #payload: Payload | null = null;
  #failure: BackendError | null = null;
  #saved: SavedReport | null = null;
  #preferences = DEFAULTS;
  #reading: Promise<void> | null = null;
  #readAt = -Infinity;
  #writing = 0;
  #missed = false;
  #disposed = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#chain = new Chain(options.backends);
    this.clock = new ServerClock(options.timers);
    this.#settle = new Alarm(options.timers);
    this.#pace = new Pace({ ...options, read: () => void this.refresh() });
    this.#unlisten = options.listen(this.#onNews);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWake);
    }
  }

  get changed(): ISignal<IManager, void> {
    return this.#changed;
  }

  get payload(): Payload | null {
    return this.#payload;
  }

  get failure(): BackendError | null {
    return this.#failure;
  }

  get backend(): BackendKind | null {
    return this.#payload && (this.#chain.current?.kind ?? null);
  }

  get saved(): SavedReport | null {
    return this.#payload?.thisRun ?? this.#saved;
  }

  get preferences(): Preferences {
    return this.#preferences;
  }

  set preferences(preferences: Preferences) {
    this.#preferences = preferences;
    this.#tell();
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    if (this.#disposed) {
      return;
    }
    this.#disposed = true;
    this.#settle.clear();
    this.#pace.stop();
    this.#unlisten();
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWake);
    }
    this.#chain.dispose();
    Signal.clearData(this);
  }

  async refresh(ask = false): Promise<void> {
    if (ask) {
      await this.#reading;
    }
    this.#reading ??= this.#read(ask).finally(() => {
      this.#reading = null;
      this.#catchUp();
    });
    await this.#reading;
  }

  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome> {
    const body = { seconds, base_stops_at_ms: baseStopsAtMs };
    return this.#write({ method: 'POST', path: 'extend', body });
  }

  change(edit: Edit): Promise<Outcome> {
    return this.#write({ method: 'PATCH', path: 'instance', body: edit });
  }

  mute(muted: boolean): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'remind', body: { muted } });
  }

  async report(stopsAtMs: number, report: SavedReport, tab: string): Promise<void> {
    this.#saved = report;
    this.#tell();
    const body = { stops_at_ms: stopsAtMs, saved: report.saved, not_saved: report.notSaved, tab };
    await this.#readAfter({ method: 'POST', path: 'saved', body });
  }

  async acknowledge(): Promise<void> {
    await this.#readAfter({ method: 'DELETE', path: 'saved' });
  }

  async examine(): Promise<readonly Finding[]> {
    return readFindings(await this.#chain.call({ method: 'GET', path: 'doctor' }));
  }

  /** Ask for something, and read what there is then; where nobody keeps it, what this tab knows stays. */
  async #readAfter(request: BackendRequest): Promise<void> {
    await this.#chain.call(request).catch(() => null);
    await this.refresh();
  }

  async #read(ask: boolean): Promise<void> {
    this.#missed = false;
    this.#readAt = this.#options.timers.monotonic();
    try {
      const path = ask ? 'instance?refresh=1' : 'instance';
      this.#take(readPayload(await this.#chain.call({ method: 'GET', path })));
    } catch (error) {
      this.#fail(asFailure(error));
    }
  }

  async #write(request: BackendRequest): Promise<Outcome> {
    this.#writing++;
    try {
      const answer = await this.#chain.call(request);
      this.#takeNow(answer);
      return { answer: readChange(answer), stale: false };
    } catch (error) {
      const failure = asFailure(error);
      this.#takeNow(failure.details);
      return { answer: readRefusal(failure), stale: failure.status === 409 };
    } finally {
      this.#writing--;
      this.#catchUp();
    }
  }

  /** A write is answered with all that holds now; where it fails on its way, that is read. */
  #takeNow(answer: unknown): void {
    const { now } = fields(answer);
    if (now) {
      this.#take(readPayload(now));
    } else {
      this.#missed = true;
    }
  }

  #take(payload: Payload): void {
    if (this.#disposed) {
      return;
    }
    this.#failure = null;
    this.#pace.succeeded(this.#chain.current?.tells !== false);
    if (this.#older(payload)) {
      return;
    }
    if (!isSameStop(stopOf(this.#payload), stopOf(payload))) {
      this.#saved = null;
    }
    this.#payload = payload;
    if (payload.serverNowMs !== null) {
      this.clock.sync(payload.serverNowMs);
    }
    this.#tell();
  }

  /** Whether an answer was overtaken by another one, and brings what held before that. */
  #older({ snapshot, seq, boot }: Payload): boolean {
    const known = this.#payload;
    if (snapshot === null || !known?.snapshot || seq === null || known.seq === null) {
      return false;
    }
    const before = snapshot.as_of_ms < known.snapshot.as_of_ms && seq <= known.seq;
    return before && boot === known.boot;
  }

  #fail(failure: BackendError): void {
    if (this.#disposed) {
      return;
    }
    this.#failure = failure;
    if (failure.code === 'absent') {
      this.#pace.stop(); // Nobody is to be had, until a person changes that.
    } else {
      this.#pace.failed();
    }
    this.#tell();
  }

  /** Read what an event told of while something was under way. */
  #catchUp(): void {
    if (this.#missed && this.#writing === 0 && !this.#disposed) {
      this.#settle.set(SETTLE_MS, () => void this.refresh());
    }
  }

  readonly #onNews = ({ boot, seq }: News): void => {
    const known = this.#payload;
    if (seq === null || boot !== known?.boot || seq !== known.seq) {
      this.#missed = true;
      this.#catchUp();
    }
  };

  readonly #onWake = (): void => {
    const recent = this.#options.timers.monotonic() - this.#readAt < 1_000;
    if (this.#options.visible() && !recent) {
      void this.refresh();
    }
  };

  #tell(): void {
    if (!this.#disposed) {
      this.#changed.emit();
    }
  }
}

const stopOf = (payload: Payload | null): number => payload?.snapshot?.state.stops_at_ms ?? 0;

function asFailure(error: unknown): BackendError {
  return error instanceof BackendError
    ? error
    : new BackendError('failed', error instanceof Error ? error.message : '');
}
