/** Knows the instance: asks a backend, hears of news, says when something changed. */

import { type ISignal, Signal } from '@lumino/signaling';
import { FallbackBackend } from '../backend/fallback';
import { RestartableTimer, ServerClock, type Timers, type Wakeup } from '../countdown/clock';
import {
  BackendError,
  DEFAULT_PREFERENCES,
  type BackendKind,
  type BackendRequest,
  type InstanceEdit,
  type Finding,
  type IBackend,
  type IManager,
  type ChangeEvent,
  type Outcome,
  type Payload,
  type Preferences,
  isSameStopTime,
  type SaveReport,
} from '../tokens';
import { asObject } from '../countdown/messages';
import { RefreshTimer } from './refresh-timer';
import { readSuccess, readFindings, readPayload, readRefusal } from '../backend/validate';

/** News come in bursts; they are answered by one reading this much later. */
const DEBOUNCE_MS = 30;

/** What a manager is made of. */
export interface ManagerOptions {
  /** Who could answer, in the order to try. */
  readonly backends: readonly (() => IBackend)[];
  readonly timers: Timers;
  /** After these events of the page, news may have been missed. */
  readonly wakeups: readonly Wakeup[];
  /** Whether somebody can see the page. */
  readonly isVisible: () => boolean;
  /** Calls the listener with each event; answers what ends that. */
  readonly subscribe: (listener: (news: ChangeEvent) => void) => () => void;
}

/** The manager. All of its timers, streams and events come from its options. */
export class Manager implements IManager {
  readonly clock: ServerClock;
  readonly #options: ManagerOptions;
  readonly #changed = new Signal<IManager, void>(this);
  readonly #debounceTimer: RestartableTimer;
  readonly #refreshTimer: RefreshTimer;
  readonly #unsubscribe: () => void;
  readonly #backend: FallbackBackend;
  #payload: Payload | null = null;
  #failure: BackendError | null = null;
  #savedBeforeStop: SaveReport | null = null;
  #preferences = DEFAULT_PREFERENCES;
  #pendingRefresh: Promise<void> | null = null;
  #lastReadAtMs = -Infinity;
  #pendingWrites = 0;
  #refreshNeeded = false;
  #disposed = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#backend = new FallbackBackend(options.backends);
    this.clock = new ServerClock(options.timers);
    this.#debounceTimer = new RestartableTimer(options.timers);
    this.#refreshTimer = new RefreshTimer({ ...options, refresh: () => void this.refresh() });
    this.#unsubscribe = options.subscribe(this.#onChangeEvent);
    for (const [target, type] of options.wakeups) {
      target.addEventListener(type, this.#onWakeup);
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
    return this.#payload && (this.#backend.current?.kind ?? null);
  }

  get savedBeforeStop(): SaveReport | null {
    return this.#payload?.savedThisRun ?? this.#savedBeforeStop;
  }

  get preferences(): Preferences {
    return this.#preferences;
  }

  set preferences(preferences: Preferences) {
    this.#preferences = preferences;
    this.#emitChanged();
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
    this.#debounceTimer.clear();
    this.#refreshTimer.stop();
    this.#unsubscribe();
    for (const [target, type] of this.#options.wakeups) {
      target.removeEventListener(type, this.#onWakeup);
    }
    this.#backend.dispose();
    Signal.clearData(this);
  }

  async refresh(fromApi = false): Promise<void> {
    if (fromApi) {
      await this.#pendingRefresh;
    }
    this.#pendingRefresh ??= this.#read(fromApi).finally(() => {
      this.#pendingRefresh = null;
      this.#refreshIfNeeded();
    });
    await this.#pendingRefresh;
  }

  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome> {
    const body = { seconds, base_stops_at_ms: baseStopsAtMs };
    return this.#write({ method: 'POST', path: 'extend', body });
  }

  edit(edit: InstanceEdit): Promise<Outcome> {
    return this.#write({ method: 'PATCH', path: 'instance', body: edit });
  }

  muteReminders(muted: boolean): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'remind', body: { muted } });
  }

  async reportSaved(stopsAtMs: number, report: SaveReport, tab: string): Promise<void> {
    this.#savedBeforeStop = report;
    this.#emitChanged();
    const body = { stops_at_ms: stopsAtMs, saved: report.saved, not_saved: report.notSaved, tab };
    await this.#sendThenRefresh({ method: 'POST', path: 'saved', body });
  }

  async dismissLastRun(): Promise<void> {
    await this.#sendThenRefresh({ method: 'DELETE', path: 'saved' });
  }

  async runDoctor(): Promise<readonly Finding[]> {
    return readFindings(await this.#backend.call({ method: 'GET', path: 'doctor' }));
  }

  /** Ask for something, and read what there is then; where nobody keeps it, what this tab knows stays. */
  async #sendThenRefresh(request: BackendRequest): Promise<void> {
    await this.#backend.call(request).catch(() => null);
    await this.refresh();
  }

  async #read(fromApi: boolean): Promise<void> {
    this.#refreshNeeded = false;
    this.#lastReadAtMs = this.#options.timers.monotonic();
    try {
      const path = fromApi ? 'instance?refresh=1' : 'instance';
      this.#applyPayload(readPayload(await this.#backend.call({ method: 'GET', path })));
    } catch (error) {
      this.#setFailure(toBackendError(error));
    }
  }

  async #write(request: BackendRequest): Promise<Outcome> {
    this.#pendingWrites++;
    try {
      const answer = await this.#backend.call(request);
      this.#applyStateAfterWrite(answer);
      return { result: readSuccess(answer), isConflict: false };
    } catch (error) {
      const failure = toBackendError(error);
      this.#applyStateAfterWrite(failure.details);
      return { result: readRefusal(failure), isConflict: failure.status === 409 };
    } finally {
      this.#pendingWrites--;
      this.#refreshIfNeeded();
    }
  }

  /** A write is answered with all that holds now; where it fails on its way, that is read. */
  #applyStateAfterWrite(response: unknown): void {
    const { now } = asObject(response);
    if (now) {
      this.#applyPayload(readPayload(now));
    } else {
      this.#refreshNeeded = true;
    }
  }

  #applyPayload(payload: Payload): void {
    if (this.#disposed) {
      return;
    }
    this.#failure = null;
    this.#refreshTimer.scheduleNext(this.#backend.current?.pushesEvents !== false);
    if (this.#isOutdated(payload)) {
      return;
    }
    if (!isSameStopTime(stopTimeOf(this.#payload), stopTimeOf(payload))) {
      this.#savedBeforeStop = null;
    }
    this.#payload = payload;
    if (payload.serverNowMs !== null) {
      this.clock.sync(payload.serverNowMs);
    }
    this.#emitChanged();
  }

  /** Whether an answer was overtaken by another one, and brings what held before that. */
  #isOutdated({ snapshot, sequence, serverId }: Payload): boolean {
    const current = this.#payload;
    if (snapshot === null || !current?.snapshot || sequence === null || current.sequence === null) {
      return false;
    }
    const isOlder = snapshot.as_of_ms < current.snapshot.as_of_ms && sequence <= current.sequence;
    return isOlder && serverId === current.serverId;
  }

  #setFailure(failure: BackendError): void {
    if (this.#disposed) {
      return;
    }
    this.#failure = failure;
    if (failure.code === 'no-backend') {
      this.#refreshTimer.stop(); // Nobody is to be had, until a person changes that.
    } else {
      this.#refreshTimer.scheduleRetry();
    }
    this.#emitChanged();
  }

  /** Read what an event told of while something was under way. */
  #refreshIfNeeded(): void {
    if (this.#refreshNeeded && this.#pendingWrites === 0 && !this.#disposed) {
      this.#debounceTimer.set(DEBOUNCE_MS, () => void this.refresh());
    }
  }

  readonly #onChangeEvent = ({ serverId, sequence }: ChangeEvent): void => {
    const current = this.#payload;
    if (sequence === null || serverId !== current?.serverId || sequence !== current.sequence) {
      this.#refreshNeeded = true;
      this.#refreshIfNeeded();
    }
  };

  readonly #onWakeup = (): void => {
    const recent = this.#options.timers.monotonic() - this.#lastReadAtMs < 1_000;
    if (this.#options.isVisible() && !recent) {
      void this.refresh();
    }
  };

  #emitChanged(): void {
    if (!this.#disposed) {
      this.#changed.emit();
    }
  }
}

const stopTimeOf = (payload: Payload | null): number => payload?.snapshot?.state.stops_at_ms ?? 0;

function toBackendError(error: unknown): BackendError {
  return error instanceof BackendError
    ? error
    : new BackendError('failed', error instanceof Error ? error.message : '');
}
