/**
 * One view of the countdown: connects host, clock, actions and elements.
 *
 * The folder `countdown/` is the widget's own source, also used by the panel. It exports the
 * countdown and the rules, formats and timers that the rest of the extension shares with it. It
 * imports nothing from other folders and no package, so that the widget is one small module.
 */

import { type ActionInputs, Actions } from './actions';
import { ServerClock, Ticker, type Timers, type Wakeup } from './clock';
import { formatDurationArgument, type Formatter, formatterFor, stopAnnouncement } from './format';
import type { CountdownHost, HostListener } from './host';
import {
  asNumber,
  asObject,
  readChangeResult,
  readSnapshot,
  readState,
  type Snapshot,
} from './messages';
import { parseStopTimeShift } from './time-input';
import {
  AnnouncementThresholds,
  evaluatePhase,
  isCounting,
  msUntilNextPhaseUpdate,
  passedStopTime,
  type Phase,
  type PhaseInput,
} from './phase';
import { CountdownView, type DelayedRequest } from './view';

/** Dependencies that a test replaces. */
export interface Dependencies {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Page events after which the countdown is updated. */
  readonly wakeups: readonly Wakeup[];
  /** Create the id of a request. */
  readonly newId: () => string;
  /** The server's clock, if it is shared; by default the countdown has its own. */
  readonly clock?: ServerClock;
}

/** Create the host of a countdown, given its outermost element and its callbacks. */
export type CreateHost = (root: HTMLElement, listener: HostListener) => CountdownHost;

/** The clock offset is requested again on a wake-up event when it is older than this. */
const CLOCK_OFFSET_MAX_AGE_MS = 3_600_000;

/** One view of the countdown. */
export class CountdownController {
  readonly #clock: ServerClock;
  readonly #view: CountdownView;
  readonly #actions: Actions;
  readonly #host: CountdownHost;
  readonly #ticker: Ticker;
  readonly #thresholds = new AnnouncementThresholds();
  #snapshot: Snapshot = { state: readState(null), as_of_ms: 0 };
  #disposed = false;

  /**
   * @param parent - the element that the countdown is appended to
   * @param createHost - creates the source of the state and recipient of requests
   * @param dependencies - clock, timers and ids
   */
  constructor(
    parent: HTMLElement,
    createHost: CreateHost,
    { timers, wakeups, newId, clock }: Dependencies,
  ) {
    const onChange = (): void => {
      this.#ticker.update();
    };
    this.#clock =
      clock ??
      new ServerClock(timers, () => {
        this.#host.sendHello();
      });
    this.#view = new CountdownView(parent, {
      onStep: (seconds) => {
        this.#actions.click(seconds);
      },
      onCustomDuration: this.#onCustomDuration,
      onCancel: () => {
        this.#actions.cancel();
      },
    });
    this.#actions = new Actions({
      timers,
      newId,
      sendRequest: (request) => this.#host.sendRequest(request),
      cancelRequest: (id, recipient) => {
        this.#host.cancelRequest(id, recipient);
      },
      onChange,
    });
    const listener = { onChange, onState: this.receiveState, onResult: this.receiveResult };
    this.#host = createHost(this.#view.root, listener);
    const evaluate = (): number | null => this.#evaluate();
    this.#ticker = new Ticker({ timers, wakeups, evaluate, beforeWakeup: this.#beforeWakeup });
    this.#host.connect();
    this.#ticker.update();
  }

  /** Show a snapshot, the server's time, or both, unless an older snapshot than the current one. */
  readonly receiveState = (raw: unknown): void => {
    this.#applyState(raw);
    this.#ticker.update();
  };

  /** Show the result of a request, and the state that came with it. */
  readonly receiveResult = (id: string, raw: unknown): void => {
    if (!this.#disposed) {
      this.receiveState(raw);
      this.#actions.handleResult(id, readChangeResult(raw));
    }
  };

  /** Send a collected click, then remove everything. May be called more than once. */
  readonly dispose = (): void => {
    this.#actions.dispose();
    this.#disposed = true;
    this.#ticker.dispose();
    this.#host.dispose();
    this.#view.dispose();
  };

  get #format(): Formatter {
    return formatterFor(this.#host.language);
  }

  get #isDisconnected(): boolean {
    return this.#host.responder === 'none';
  }

  #applyState(raw: unknown): void {
    const snapshot = readSnapshot(raw);
    const serverNowMs = asNumber(asObject(raw).server_now_ms);
    if (serverNowMs !== null) {
      this.#clock.sync(serverNowMs);
      this.#host.helloAnswered();
    }
    if (snapshot !== null && snapshot.as_of_ms >= this.#snapshot.as_of_ms) {
      this.#snapshot = snapshot;
    }
  }

  #evaluate(): number | null {
    const nowMs = this.#isDisconnected ? this.#snapshot.as_of_ms : this.#clock.now();
    this.#actions.update(this.#actionInputs(nowMs));
    const input = this.#phaseInput(this.#actions.shownStopMs);
    this.#render(input, nowMs);
    if (this.#isDisconnected) {
      return null;
    }
    this.#announceThreshold(nowMs);
    return msUntilNextPhaseUpdate(input, nowMs);
  }

  #render(input: PhaseInput, nowMs: number): void {
    this.#view.update({
      format: this.#format,
      snapshot: this.#snapshot,
      stopsAtMs: input.stopsAtMs,
      nowMs,
      phaseResult: evaluatePhase(input, nowMs),
      isDisconnected: this.#isDisconnected,
      isSynced: this.#clock.isSynced || this.#host.helloPending,
      extendBlockedReason: this.#actions.blockedReason(1),
      shortenBlockedReason: this.#actions.blockedReason(-1),
      feedback: this.#actions.feedback,
      delayedRequest: this.#delayedRequest(),
    });
  }

  #delayedRequest(): DelayedRequest | null {
    const { pendingRequest, requestState } = this.#actions;
    if (pendingRequest === null || requestState !== 'slow') {
      return null;
    }
    const { recipient, action, seconds } = pendingRequest;
    const prefix = recipient === 'kernel' && this.#host.terminalPrefix;
    return {
      recipient,
      command: prefix ? `${prefix} ${action} ${formatDurationArgument(seconds)}` : '',
    };
  }

  #phaseInput(stopsAtMs: number | null): PhaseInput {
    const { status, enabled, mode } = this.#snapshot.state;
    return { status, enabled, mode, stopsAtMs };
  }

  #actionInputs(nowMs: number): ActionInputs {
    const { state, as_of_ms: asOfMs } = this.#snapshot;
    const { bounds } = state;
    const elapsedMs = bounds?.from_now ? Math.max(nowMs - asOfMs, 0) : 0;
    const { phase } = evaluatePhase(this.#phaseInput(state.stops_at_ms), nowMs);
    const passedMs = passedStopTime(state, phase);
    return {
      stopsAtMs: state.stops_at_ms,
      baseStopMs: passedMs ?? state.stops_at_ms,
      fromMs: passedMs === null ? state.stops_at_ms : nowMs,
      blockedReason: this.#blockedReason(phase, passedMs !== null),
      earliestMs: bounds && bounds.earliest_stop_ms + elapsedMs,
      latestMs: bounds && bounds.latest_stop_ms + elapsedMs,
    };
  }

  #blockedReason(phase: Phase, hasPassed: boolean): string | null {
    const { state } = this.#snapshot;
    if (this.#isDisconnected) {
      return 'no-kernel';
    }
    if (!isCounting(phase) && !hasPassed) {
      return phase;
    }
    return state.can_change ? null : state.reason || 'not-supported';
  }

  #announceThreshold(nowMs: number): void {
    const stopsAtMs = this.#snapshot.state.stops_at_ms;
    const { remainingS } = evaluatePhase(this.#phaseInput(stopsAtMs), nowMs);
    if (stopsAtMs && remainingS && this.#thresholds.findCrossed(stopsAtMs, remainingS)) {
      this.#view.announce(stopAnnouncement(this.#format, stopsAtMs, remainingS));
    }
  }

  readonly #onCustomDuration = (input: string, isPreview: boolean): void => {
    const nowMs = this.#clock.now();
    const stopsAtMs = Math.max(this.#actions.shownStopMs ?? 0, nowMs);
    const seconds = parseStopTimeShift(input, nowMs, stopsAtMs);
    if (isPreview) {
      this.#actions.preview(seconds);
      return;
    }
    if (seconds === null) {
      this.#actions.showError('bad-duration');
    }
    this.#view.setDurationValidity(seconds !== null && this.#actions.enter(seconds));
  };

  readonly #beforeWakeup = (): void => {
    // If the clock has jumped, a hello is sent when this is found.
    const { ageMs } = this.#clock;
    if (!this.#host.helloPending && ageMs > CLOCK_OFFSET_MAX_AGE_MS) {
      this.#host.sendHello();
    }
  };
}
