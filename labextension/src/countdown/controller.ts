/** One view of the countdown: model, clock, buttons and elements put together. */

import { Actions, type ActionInputs, type Recipient } from './actions';
import { ServerClock, Ticker, type Timers, type Wakeup } from './clock';
import { KernelLink } from './kernel-link';
import {
  type ChangeRequest,
  PAGE_EVENTS,
  asObject,
  type WidgetModel,
  asNumber,
  readChangeResult,
  readSnapshot,
  readState,
  type Snapshot,
  asString,
} from './messages';
import { isCounting, msUntilNextPhaseUpdate, type PhaseInput, evaluatePhase } from './phase';
import { AnnouncementThresholds } from './thresholds';
import { CountdownView, type DelayedRequest } from './view';
import {
  formatDurationArgument,
  parseDuration,
  stopAnnouncement,
  type Formatter,
  formatterFor,
} from './format';

/** What a test replaces. */
export interface Dependencies {
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly newId: () => string;
}

/** What anywidget calls `render` with. */
export interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
}

/** An offset older than this is taken anew when the page wakes up. */
const CLOCK_OFFSET_MAX_AGE_MS = 3_600_000;

const OBSERVED_TRAITS = ['state', 'as_of_ms', 'language', 'terminal_prefix'];

/** One view of the countdown. */
export class CountdownController {
  readonly #model: WidgetModel;
  readonly #clock: ServerClock;
  readonly #view: CountdownView;
  readonly #actions: Actions;
  readonly #kernelLink: KernelLink;
  readonly #ticker: Ticker;
  readonly #thresholds = new AnnouncementThresholds();
  #snapshot: Snapshot = { state: readState(null), as_of_ms: 0 };
  #format: Formatter = formatterFor('');
  #disposed = false;

  constructor({ model, el }: RenderContext, { timers, wakeups, newId }: Dependencies) {
    const update = (): void => {
      this.#ticker.update();
    };
    this.#model = model;
    this.#clock = new ServerClock(timers);
    this.#view = new CountdownView(el, {
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
      sendRequest: this.#sendRequest,
      cancelRequest: this.#cancelRequest,
      onChange: update,
    });
    this.#kernelLink = new KernelLink({ model, timers, onChange: update });
    const evaluate = (): number | null => this.#evaluate();
    this.#ticker = new Ticker({ timers, wakeups, evaluate, beforeWakeup: this.#beforeWakeup });
    this.#subscribe();
  }

  /** Stop, send a click that was not sent yet, remove everything. Calling it twice is fine. */
  readonly dispose = (): void => {
    this.#actions.dispose();
    this.#disposed = true;
    this.#ticker.dispose();
    this.#kernelLink.dispose();
    for (const trait of OBSERVED_TRAITS) {
      this.#model.off(`change:${trait}`, this.#onTraitChange);
    }
    this.#model.off('msg:custom', this.#onKernelMessage);
    this.#view.root.removeEventListener(PAGE_EVENTS.state, this.#onStateEvent);
    this.#view.dispose();
  };

  #subscribe(): void {
    for (const trait of OBSERVED_TRAITS) {
      this.#model.on(`change:${trait}`, this.#onTraitChange);
    }
    this.#model.on('msg:custom', this.#onKernelMessage);
    this.#view.root.addEventListener(PAGE_EVENTS.state, this.#onStateEvent);
    this.#kernelLink.sendHello();
    this.#onTraitChange();
  }

  #evaluate(): number | null {
    if (this.#clock.detectJump()) {
      this.#kernelLink.sendHello();
    }
    const isDisconnected = this.#kernelLink.responder === 'none';
    const nowMs = isDisconnected ? this.#snapshot.as_of_ms : this.#clock.now();
    this.#actions.update(this.#actionInputs(nowMs));
    const input = this.#phaseInput(this.#actions.shownStopMs);
    this.#render(input, nowMs, isDisconnected);
    if (isDisconnected) {
      return null;
    }
    this.#announceThreshold(nowMs);
    return msUntilNextPhaseUpdate(input, nowMs);
  }

  #render(input: PhaseInput, nowMs: number, isDisconnected: boolean): void {
    this.#view.update({
      format: this.#format,
      snapshot: this.#snapshot,
      stopsAtMs: input.stopsAtMs,
      nowMs,
      phaseResult: evaluatePhase(input, nowMs),
      isDisconnected,
      isSynced: this.#clock.isSynced || this.#kernelLink.helloPending,
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
    const prefix = recipient === 'kernel' && asString(this.#model.get('terminal_prefix'));
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
    return {
      stopsAtMs: state.stops_at_ms,
      blockedReason: this.#blockedReason(nowMs),
      earliestMs: bounds && bounds.earliest_stop_ms + elapsedMs,
      latestMs: bounds && bounds.latest_stop_ms + elapsedMs,
    };
  }

  #blockedReason(nowMs: number): string | null {
    const { state } = this.#snapshot;
    const { phase } = evaluatePhase(this.#phaseInput(state.stops_at_ms), nowMs);
    if (this.#kernelLink.responder === 'none') {
      return 'no-kernel';
    }
    if (!isCounting(phase)) {
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

  readonly #onCustomDuration = (input: string): void => {
    const seconds = parseDuration(input);
    this.#view.setDurationValidity(seconds !== null);
    if (seconds === null) {
      this.#actions.showError('bad-duration');
    } else {
      this.#actions.click(seconds);
    }
  };

  readonly #sendRequest = (request: ChangeRequest): Recipient | null => {
    const respond = (answer: unknown): void => {
      this.#onResult(request.id, answer);
    };
    if (this.#dispatchToPage(PAGE_EVENTS.request, { ...request, respond })) {
      return 'page';
    }
    return this.#kernelLink.send({ type: 'request', ...request }) ? 'kernel' : null;
  };

  readonly #cancelRequest = (id: string, recipient: Recipient): void => {
    if (recipient === 'page') {
      this.#dispatchToPage(PAGE_EVENTS.cancel, { id });
    } else {
      this.#kernelLink.send({ type: 'cancel', id });
    }
  };

  /** Dispatch an event to the page; answers whether somebody took it. */
  #dispatchToPage(type: string, detail: object): boolean {
    const event = new CustomEvent(type, { detail, bubbles: true, cancelable: true });
    return !this.#view.root.dispatchEvent(event);
  }

  readonly #beforeWakeup = (): void => {
    if (!this.#kernelLink.helloPending && this.#clock.ageMs > CLOCK_OFFSET_MAX_AGE_MS) {
      this.#kernelLink.sendHello();
    }
  };

  #applySnapshot(snapshot: Snapshot): void {
    if (snapshot.as_of_ms >= this.#snapshot.as_of_ms) {
      this.#snapshot = snapshot;
    }
  }

  #syncClock(raw: unknown): void {
    const serverNowMs = asNumber(asObject(raw).server_now_ms);
    if (serverNowMs !== null) {
      this.#clock.sync(serverNowMs);
      this.#kernelLink.helloAnswered();
    }
  }

  #onResult(id: string, raw: unknown): void {
    if (this.#disposed) {
      return;
    }
    const snapshot = readSnapshot(raw);
    this.#syncClock(raw);
    if (snapshot !== null) {
      this.#applySnapshot(snapshot);
    }
    this.#ticker.update();
    this.#actions.handleResult(id, readChangeResult(raw));
  }

  readonly #onTraitChange = (): void => {
    this.#format = formatterFor(asString(this.#model.get('language')));
    const state = readState(this.#model.get('state'));
    this.#applySnapshot({ state, as_of_ms: asNumber(this.#model.get('as_of_ms')) ?? 0 });
    this.#ticker.update();
  };

  readonly #onKernelMessage = (raw: unknown): void => {
    const { type, id } = asObject(raw);
    this.#kernelLink.setResponder('kernel');
    if (type === 'result') {
      this.#onResult(asString(id), raw);
    } else {
      this.#syncClock(raw);
      this.#ticker.update();
    }
  };

  readonly #onStateEvent = (event: Event): void => {
    const detail: unknown = (event as CustomEvent<unknown>).detail;
    const snapshot = readSnapshot(detail);
    if (snapshot !== null) {
      this.#syncClock(detail);
      this.#applySnapshot(snapshot);
      this.#kernelLink.setResponder('page');
      this.#ticker.update();
    }
  };
}
