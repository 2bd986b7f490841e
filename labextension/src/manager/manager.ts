/**
 * The state of the instance in this page: reads it from a backend, changes it, and emits a signal on
 * each change.
 *
 * The folder `manager/` exports the manager and the bridge between it and countdown widgets. It may
 * import from `backend/`, `countdown/`, `text/` and `tokens`.
 */

import { type ISignal, Signal } from '@lumino/signaling';
import { FallbackBackend } from '../backend/fallback';
import { readFindings, readPayload, readRefusal, readSuccess } from '../backend/validate';
import { RestartableTimer, ServerClock, type Timers, type Wakeup } from '../countdown/clock';
import { asObject } from '../countdown/messages';
import {
  BackendError,
  type BackendKind,
  type BackendRequest,
  type ChangeEvent,
  DEFAULT_PREFERENCES,
  type Finding,
  type IBackend,
  type IManager,
  type InstanceEdit,
  isSameStopTime,
  type Outcome,
  type Payload,
  type Preferences,
  type SaveReport,
} from '../tokens';
import { RefreshTimer } from './refresh-timer';

/** Several events within this time cause one read. */
const DEBOUNCE_MS = 30;

/** Options of {@link Manager}. */
export interface ManagerOptions {
  /** Create the backends, in the order in which they are tried. */
  readonly backends: readonly (() => IBackend)[];
  /** Clock and timers. */
  readonly timers: Timers;
  /** Page events after which change events may have been missed. */
  readonly wakeups: readonly Wakeup[];
  /** Return whether the page is visible. */
  readonly isVisible: () => boolean;
  /** Call the listener on each change event; returns the function that stops this. */
  readonly subscribe: (listener: (event: ChangeEvent) => void) => () => void;
}

/** Implements {@link IManager} with backends, timers and events from its options. */
export class Manager implements IManager {
  /** {@inheritDoc IManager.clock} */
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

  /** {@inheritDoc IManager.changed} */
  get changed(): ISignal<IManager, void> {
    return this.#changed;
  }

  /** {@inheritDoc IManager.payload} */
  get payload(): Payload | null {
    return this.#payload;
  }

  /** {@inheritDoc IManager.failure} */
  get failure(): BackendError | null {
    return this.#failure;
  }

  /** {@inheritDoc IManager.backend} */
  get backend(): BackendKind | null {
    return this.#payload && (this.#backend.current?.kind ?? null);
  }

  /** {@inheritDoc IManager.savedBeforeStop} */
  get savedBeforeStop(): SaveReport | null {
    return this.#payload?.savedThisRun ?? this.#savedBeforeStop;
  }

  /** {@inheritDoc IManager.preferences} */
  get preferences(): Preferences {
    return this.#preferences;
  }

  set preferences(preferences: Preferences) {
    this.#preferences = preferences;
    this.#emitChanged();
  }

  /** Whether the manager is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop, and dispose of the backend. May be called more than once. */
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

  /** {@inheritDoc IManager.refresh} */
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

  /** {@inheritDoc IManager.extend} */
  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome> {
    const body = { seconds, base_stops_at_ms: baseStopsAtMs };
    return this.#write({ method: 'POST', path: 'extend', body });
  }

  /** {@inheritDoc IManager.edit} */
  edit(edit: InstanceEdit): Promise<Outcome> {
    return this.#write({ method: 'PATCH', path: 'instance', body: edit });
  }

  /** {@inheritDoc IManager.muteReminders} */
  muteReminders(muted: boolean): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'remind', body: { muted } });
  }

  /** {@inheritDoc IManager.reportSaved} */
  async reportSaved(stopsAtMs: number, report: SaveReport, tab: string): Promise<void> {
    this.#savedBeforeStop = report;
    this.#emitChanged();
    const body = { stops_at_ms: stopsAtMs, saved: report.saved, not_saved: report.notSaved, tab };
    await this.#sendThenRefresh({ method: 'POST', path: 'saved', body });
  }

  /** {@inheritDoc IManager.dismissLastRun} */
  async dismissLastRun(): Promise<void> {
    await this.#sendThenRefresh({ method: 'DELETE', path: 'saved' });
  }

  /** {@inheritDoc IManager.runDoctor} */
  async runDoctor(): Promise<readonly Finding[]> {
    return readFindings(await this.#backend.call({ method: 'GET', path: 'doctor' }));
  }

  /** Send a request and read the instance afterwards. Errors are ignored. */
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
      const response = await this.#backend.call(request);
      this.#applyStateAfterWrite(response);
      return { result: readSuccess(response), isConflict: false };
    } catch (error) {
      const failure = toBackendError(error);
      this.#applyStateAfterWrite(failure.details);
      return { result: readRefusal(failure), isConflict: failure.status === 409 };
    } finally {
      this.#pendingWrites--;
      this.#refreshIfNeeded();
    }
  }

  /** Take over the state in the response to a change. Without one, the instance is read again. */
  #applyStateAfterWrite(response: unknown): void {
    const { current } = asObject(response);
    if (current) {
      this.#applyPayload(readPayload(current));
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

  /** Return whether a response contains an older state than the current one. */
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
      // A backend can become available only by an action of the user.
      this.#refreshTimer.stop();
    } else {
      this.#refreshTimer.scheduleRetry();
    }
    this.#emitChanged();
  }

  /** Read the instance if an event has arrived during a request. */
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
