/**
 * The state of the instance in this page: reads it from a backend, changes it, and emits a signal on
 * each change.
 *
 * The folder `manager/` exports the manager, the bridge between it and countdown widgets, and the
 * ticker of its views. It may import from `backend/`, `countdown/`, `text/` and `tokens`.
 */

import { type ISignal, Signal } from '@lumino/signaling';
import { FallbackBackend } from '../backend/fallback';
import {
  readFindings,
  readPayload,
  readRecords,
  readRefusal,
  readSuccess,
} from '../backend/validate';
import {
  type ClockReading,
  RestartableTimer,
  SharedClock,
  type Timers,
  type Wakeup,
} from '../countdown/clock';
import { asArray, asObject, asString } from '../countdown/messages';
import {
  BackendError,
  type BackendKind,
  type BackendRequest,
  type CellRecord,
  type ChangeEvent,
  DEFAULT_PREFERENCES,
  type Finding,
  type IBackend,
  type IManager,
  type InstanceEdit,
  isSameStopTime,
  type KeepChange,
  type Outcome,
  type Payload,
  type Preferences,
  type PresumedStop,
  type SaveReport,
} from '../tokens';
import { RefreshTimer, type RefreshConditions } from './refresh-timer';
import { isNearStop, presumeStop, withStatus } from './presumed-stop';

/** Several events within this time cause one read. */
const DEBOUNCE_MS = 30;
/** The event stream counts as closed when this many checks in a row have found it closed. */
const MAX_CLOSED_CHECKS = 2;

/** The code of a refusal because only later runs would become longer. */
const CONSENT_NEEDED = 'refuse.lengthens_later_runs';

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
  /** Ask the user whether to lengthen later runs, although this run is not extended. */
  readonly askForConsent: (text: string) => Promise<boolean>;
  /** Return whether change events of the server can arrive. */
  readonly isStreamOpen: () => boolean;
}

/** Implements {@link IManager} with backends, timers and events from its options. */
export class Manager implements IManager {
  /** {@inheritDoc IManager.clock} */
  readonly clock: SharedClock;
  readonly #options: ManagerOptions;
  readonly #changed = new Signal<IManager, void>(this);
  readonly #debounceTimer: RestartableTimer;
  readonly #refreshTimer: RefreshTimer;
  readonly #unsubscribe: () => void;
  readonly #backend: FallbackBackend;
  #payload: Payload | null = null;
  #failure: BackendError | null = null;
  #presumedStop: PresumedStop | null = null;
  #savedBeforeStop: SaveReport | null = null;
  #isReportSent = true;
  #preferences = DEFAULT_PREFERENCES;
  #pendingRefresh: Promise<void> | null = null;
  #lastReadAtMs = -Infinity;
  #lastContactMs = -Infinity;
  #closedChecks = 0;
  #pendingWrites = 0;
  #refreshNeeded = false;
  #disposed = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#backend = new FallbackBackend(options.backends);
    const refresh = (): void => void this.refresh();
    this.clock = new SharedClock(options.timers, refresh);
    this.#debounceTimer = new RestartableTimer(options.timers);
    this.#refreshTimer = new RefreshTimer({ ...options, refresh, check: this.#check });
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
    return this.#presumedStop?.isConfirmed ? withStatus(this.#payload, 'STOPPED') : this.#payload;
  }

  /** {@inheritDoc IManager.failure} */
  get failure(): BackendError | null {
    return this.#failure;
  }

  /** {@inheritDoc IManager.presumedStop} */
  get presumedStop(): PresumedStop | null {
    return this.#presumedStop;
  }

  /** {@inheritDoc IManager.isLive} */
  get isLive(): boolean {
    return this.#closedChecks < MAX_CLOSED_CHECKS;
  }

  /** {@inheritDoc IManager.backend} */
  get backend(): BackendKind | null {
    return this.#payload && (this.#backend.current?.kind ?? null);
  }

  /** {@inheritDoc IManager.savedBeforeStop} */
  get savedBeforeStop(): SaveReport | null {
    const ofAllTabs = this.#isReportSent ? this.#payload?.savedThisRun : null;
    return ofAllTabs ?? this.#savedBeforeStop;
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
  async extend(seconds: number, baseStopsAtMs: number): Promise<Outcome> {
    const body = { seconds, base_stops_at_ms: baseStopsAtMs };
    const request = { method: 'POST', path: 'extend' } as const;
    const outcome = await this.#write({ ...request, body });
    const { code, text } = outcome.result;
    // A question that cannot be asked is not answered with yes.
    const ask = (): Promise<boolean> => this.#options.askForConsent(text).catch(() => false);
    if (code !== CONSENT_NEEDED || !(await ask())) {
      return outcome;
    }
    return this.#write({ ...request, body: { ...body, lengthen_later_runs: true } });
  }

  /** {@inheritDoc IManager.edit} */
  edit(edit: InstanceEdit): Promise<Outcome> {
    return this.#write({ method: 'PATCH', path: 'instance', body: edit });
  }

  /** {@inheritDoc IManager.undo} */
  undo(): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'undo' });
  }

  /** {@inheritDoc IManager.restoreRunTime} */
  restoreRunTime(): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'restore' });
  }

  /** {@inheritDoc IManager.stop} */
  stop(): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'stop' });
  }

  /** {@inheritDoc IManager.readHistory} */
  async readHistory(): Promise<readonly string[]> {
    const response = await this.#backend.call({ method: 'GET', path: 'history' });
    return asArray(asObject(response).entries).map(asString);
  }

  /** {@inheritDoc IManager.changeKeep} */
  changeKeep(change: KeepChange): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'keep', body: change });
  }

  /** {@inheritDoc IManager.muteReminders} */
  muteReminders(muted: boolean): Promise<Outcome> {
    return this.#write({ method: 'POST', path: 'remind', body: { muted } });
  }

  /** {@inheritDoc IManager.reportSaved} */
  async reportSaved(stopsAtMs: number, report: SaveReport, tab: string): Promise<void> {
    this.#savedBeforeStop = report;
    this.#isReportSent = false;
    this.#emitChanged();
    const body = { stops_at_ms: stopsAtMs, saved: report.saved, not_saved: report.notSaved, tab };
    await this.#sendThenRefresh({ method: 'POST', path: 'saved', body });
  }

  /** {@inheritDoc IManager.dismissLastRun} */
  async dismissLastRun(): Promise<void> {
    await this.#sendThenRefresh({ method: 'DELETE', path: 'saved' });
  }

  /** {@inheritDoc IManager.readActivity} */
  async readActivity(): Promise<readonly string[]> {
    const response = await this.#backend.call({ method: 'POST', path: 'activity' });
    return asArray(asObject(response).lines).map(asString);
  }

  /** {@inheritDoc IManager.callBackend} */
  callBackend(request: BackendRequest): Promise<unknown> {
    return this.#backend.call(request);
  }

  /** {@inheritDoc IManager.runDoctor} */
  async runDoctor(): Promise<readonly Finding[]> {
    return readFindings(await this.#backend.call({ method: 'GET', path: 'doctor' }));
  }

  /** {@inheritDoc IManager.listRecords} */
  async listRecords(): Promise<readonly CellRecord[]> {
    return readRecords(await this.#backend.call({ method: 'GET', path: 'records' }));
  }

  /** {@inheritDoc IManager.readRecord} */
  async readRecord(id: string): Promise<readonly unknown[]> {
    const response = await this.#backend.call({ method: 'POST', path: 'records', body: { id } });
    return asArray(asObject(response).outputs);
  }

  /** Send a request and read the instance afterwards. Errors are ignored. */
  async #sendThenRefresh(request: BackendRequest): Promise<void> {
    await this.#backend.call(request).catch(() => null);
    await this.refresh();
  }

  async #read(fromApi: boolean): Promise<void> {
    this.#refreshNeeded = false;
    const sent = this.clock.read();
    this.#lastReadAtMs = sent.monotonicMs;
    try {
      const path = fromApi ? 'instance?refresh=1' : 'instance';
      const payload = readPayload(await this.#backend.call({ method: 'GET', path }));
      this.#isReportSent = true;
      this.#applyPayload(payload, sent);
    } catch (error) {
      this.#setFailure(toBackendError(error));
    }
  }

  /** Whether the backend in use sends change events. */
  get #receivesEvents(): boolean {
    return this.#backend.current?.pushesEvents !== false;
  }

  async #write(request: BackendRequest): Promise<Outcome> {
    this.#pendingWrites++;
    const sent = this.clock.read();
    try {
      const response = await this.#backend.call(request);
      this.#applyStateAfterWrite(response, sent);
      return { result: readSuccess(response), isConflict: false };
    } catch (error) {
      const failure = toBackendError(error);
      this.#applyStateAfterWrite(failure.details, sent);
      return { result: readRefusal(failure), isConflict: failure.status === 409 };
    } finally {
      this.#pendingWrites--;
      this.#refreshIfNeeded();
    }
  }

  /** Take over the state in the response to a change. Without one, the instance is read again. */
  #applyStateAfterWrite(response: unknown, sent: ClockReading): void {
    const { current } = asObject(response);
    if (current) {
      this.#applyPayload(readPayload(current), sent);
    } else {
      this.#refreshNeeded = true;
    }
  }

  #applyPayload(payload: Payload, sent: ClockReading): void {
    if (this.#disposed) {
      return;
    }
    this.#failure = null;
    this.clock.assumesSleep = false;
    this.#presumedStop = null;
    if (payload.serverNowMs !== null && !this.clock.syncSince(sent, payload.serverNowMs)) {
      this.#refreshNeeded = true;
    }
    if (!this.#isOutdated(payload)) {
      if (!isSameStopTime(stopTimeOf(this.#payload), stopTimeOf(payload))) {
        this.#savedBeforeStop = null;
      }
      this.#payload = payload;
    }
    this.#lastContactMs = this.clock.now();
    this.#refreshTimer.scheduleNext();
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
    this.clock.assumesSleep = true;
    this.#updatePresumedStop();
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

  readonly #onWakeup = ({ type }: Event): void => {
    if (!this.#options.isVisible()) {
      return;
    }
    const recent = this.#options.timers.monotonic() - this.#lastReadAtMs < 1_000;
    if (!recent) {
      // A page that is only focused was visible before, and has not slept unnoticed.
      if (type !== 'focus') {
        this.clock.invalidate();
      }
      void this.refresh();
    }
    // Timers may not have fired while the page was hidden.
    this.#emitChanged();
  };

  /** Check clock, event stream and stop time, and update the views if anything has changed. */
  readonly #check = (): RefreshConditions => {
    const before = [this.isLive, this.#presumedStop?.isConfirmed];
    this.#checkStream();
    this.#updatePresumedStop();
    if (before[0] !== this.isLive || before[1] !== this.#presumedStop?.isConfirmed) {
      this.#emitChanged();
    }
    return {
      receivesEvents: this.#receivesEvents && this.isLive,
      isNearStop: isNearStop(this.#payload, this.clock.now()),
    };
  };

  #checkStream(): void {
    // The events of the helper kernel do not arrive through Jupyter's event socket.
    const isStreamOpen =
      this.#backend.current?.kind === 'helper-kernel' || this.#options.isStreamOpen();
    const isOpen = this.#receivesEvents && isStreamOpen;
    // A connected page receives its first event within one interval.
    this.#closedChecks = isOpen || !this.#receivesEvents ? 0 : this.#closedChecks + 1;
    if (isOpen && this.clock.isSynced) {
      this.#lastContactMs = this.clock.now();
    }
  }

  #updatePresumedStop(): void {
    const { failure, clock } = this;
    const { isSynced } = clock;
    const contact = { failure, nowMs: clock.now(), isSynced, lastContactMs: this.#lastContactMs };
    this.#presumedStop = presumeStop(this.#payload, contact);
  }

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
