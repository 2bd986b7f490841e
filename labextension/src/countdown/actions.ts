/**
 * The behaviour of the buttons, without elements: several clicks are collected into one request, the
 * requested stop time is shown at once and reverted if the request fails, and a slow request is
 * reported.
 */

import { RestartableTimer, type Timers } from './clock';
import type { ChangeRequest, ChangeResult } from './messages';
import { stopTimesDiffer } from './phase';

/** Milliseconds without a click after which the collected clicks are sent. */
export const CLICK_COLLECTION_MS = 500;
/** Milliseconds without a response after which a request counts as slow. */
export const SLOW_REQUEST_MS = 1_000;
/** Distance to a bound in milliseconds below which a change is not worth a request. */
const BOUND_MARGIN_MS = 60_000;

/** The recipient of a request: the extension of the page or the kernel. */
export type Recipient = 'page' | 'kernel';

/** The state of the last click. */
export type RequestState = 'ready' | 'collecting' | 'sent' | 'slow';

/** The state on which the buttons act. */
export interface ActionInputs {
  /** The stop time; `null` when there is none. */
  readonly stopsAtMs: number | null;
  /** The stop time on which a change is based: the shown one, or one that has passed. */
  readonly baseStopMs: number | null;
  /** The time from which a change counts: the later of this stop time and now. */
  readonly fromMs: number | null;
  /** The reason why nothing can be changed, as a key of `STRINGS`, else `null`. */
  readonly blockedReason: string | null;
  /** The earliest stop time that can be requested; `null` when it is not known. */
  readonly earliestMs: number | null;
  /** The latest stop time that can be requested; `null` when it is not known. */
  readonly latestMs: number | null;
}

/** The content of the message under the buttons, before it is formatted. */
export interface Feedback {
  /** Whether it reports a success, an error, or neither. */
  readonly tone: 'info' | 'success' | 'error';
  /** The sentences, as keys of `STRINGS`. */
  readonly codes: readonly string[];
  /** The stop time that the message mentions. */
  readonly stopsAtMs: number | null;
  /** The run time that was saved, in seconds. */
  readonly durationS: number | null;
  /** The run time that was replaced, in seconds. */
  readonly previousDurationS: number | null;
  /** The message of the kernel or server, used when `codes` are not keys of `STRINGS`. */
  readonly text: string;
}

/** A request without a response yet. */
export interface PendingRequest extends ChangeRequest {
  /** The recipient. */
  readonly recipient: Recipient;
  /** The stop time that it requests. */
  readonly targetMs: number;
  /** The bound that limited the clicks, as a key of `STRINGS`; `null` when none did. */
  readonly reachedBound: string | null;
}

/** Options of {@link Actions}. */
export interface ActionsOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Create the id of a request. */
  readonly newId: () => string;
  /** Send a request; returns its recipient, `null` when there is none. */
  readonly sendRequest: (request: ChangeRequest) => Recipient | null;
  /** Ask the recipient to cancel a request. */
  readonly cancelRequest: (id: string, recipient: Recipient) => void;
  /** Called when any property has changed. */
  readonly onChange: () => void;
}

type ChangeEffect = NonNullable<ChangeResult['effect']>;

const TONE_BY_EFFECT: Record<ChangeEffect, Feedback['tone']> = {
  now: 'success',
  'next-start': 'error',
  unconfirmed: 'info',
};

const NO_INPUTS: ActionInputs = {
  stopsAtMs: null,
  baseStopMs: null,
  fromMs: null,
  blockedReason: 'unknown',
  earliestMs: null,
  latestMs: null,
};

/** The state machine of the buttons **+1 h**, **−1 h** and **Extend**. */
export class Actions {
  readonly #options: ActionsOptions;
  #inputs: ActionInputs = NO_INPUTS;
  #targetMs: number | null = null;
  #fromMs = 0;
  #reachedBound: string | null = null;
  readonly #timer: RestartableTimer;
  readonly #cancelled = new Map<string, PendingRequest>();
  #requestState: RequestState = 'ready';
  #feedback: Feedback | null = null;
  #pendingRequest: PendingRequest | null = null;

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
  }

  /** The state of the last click. */
  get requestState(): RequestState {
    return this.#requestState;
  }

  /** The message about the last click; `null` when there is none. */
  get feedback(): Feedback | null {
    return this.#feedback;
  }

  /** The request without a response yet; `null` when there is none. */
  get pendingRequest(): PendingRequest | null {
    return this.#pendingRequest;
  }

  /** The stop time to show: the requested one, unless it was refused or the request is slow. */
  get shownStopMs(): number | null {
    return this.#requestState === 'slow'
      ? this.#inputs.stopsAtMs
      : (this.#targetMs ?? this.#inputs.stopsAtMs);
  }

  /** Return why a change in this direction is not possible, as a key of `STRINGS`, else `null`. */
  blockedReason(seconds: number): string | null {
    const { blockedReason, fromMs } = this.#inputs;
    if (blockedReason !== null || fromMs === null) {
      return blockedReason ?? 'unknown';
    }
    return this.#requestState === 'slow' ? 'kernel-busy' : this.#boundReached(seconds, fromMs);
  }

  /** Handle a click that extends the run by some seconds, or shortens it if negative. */
  click(seconds: number): void {
    const reason = this.blockedReason(seconds);
    if (reason !== null) {
      this.#setFeedback(this.#feedbackFor('info', reason));
      return;
    }
    this.#addToTarget(seconds);
    this.#feedback =
      this.#reachedBound === null ? null : this.#feedbackFor('info', this.#reachedBound);
    if (this.#pendingRequest === null) {
      this.#startCollecting();
    }
    this.#options.onChange();
  }

  /**
   * Handle an entered change of the stop time: refuse what exceeds a bound, or else handle it as a
   * click.
   *
   * @returns whether it was accepted
   */
  enter(seconds: number): boolean {
    const feedback = this.#previewOf(seconds);
    if (feedback.tone === 'error') {
      this.#setFeedback(feedback);
      return false;
    }
    this.click(seconds);
    return true;
  }

  /** Show the stop time that {@link enter} would request, or why not; with `null`, show neither. */
  preview(seconds: number | null): void {
    if (this.#requestState === 'ready') {
      this.#setFeedback(seconds === null ? null : this.#previewOf(seconds));
    }
  }

  /** Cancel the pending request, if its recipient has not carried it out yet. */
  cancel(): void {
    const request = this.#pendingRequest;
    if (request !== null) {
      this.#cancelled.set(request.id, request);
      this.#finish(this.#feedbackFor('info', 'cancel-requested'));
      this.#options.cancelRequest(request.id, request.recipient);
    }
  }

  /** Handle the result of a request. Call {@link update} with the new state first. */
  handleResult(id: string, result: ChangeResult): void {
    const cancelled = this.#cancelled.get(id);
    if (cancelled) {
      this.#cancelled.delete(id);
      this.#handleLateResult(cancelled, result);
    } else if (this.#pendingRequest?.id === id) {
      this.#handlePendingResult(this.#pendingRequest, result);
    }
  }

  /** Take over the current state. Clicks not sent yet are dropped if they were made on another one. */
  update(inputs: ActionInputs): void {
    const stopTimeMoved = stopTimesDiffer(inputs.baseStopMs, this.#inputs.baseStopMs);
    this.#inputs = inputs;
    const dropReason = this.#dropReason(stopTimeMoved);
    if (dropReason !== null) {
      this.#finish(this.#feedbackFor('error', dropReason));
    } else if (stopTimeMoved && this.#feedback?.stopsAtMs !== inputs.baseStopMs) {
      this.#feedback = null;
    }
  }

  /** Show an error that is not about a request, such as an invalid duration. */
  showError(code: string): void {
    this.#setFeedback(this.#feedbackFor('error', code));
  }

  /** Send the collected clicks, then stop. May be called more than once. */
  dispose(): void {
    if (this.#requestState === 'collecting') {
      this.#sendCollected();
    }
    this.#timer.clear();
  }

  #previewOf(seconds: number): Feedback {
    const { earliestMs, latestMs, fromMs } = this.#inputs;
    const targetMs = (this.#targetMs ?? fromMs ?? 0) + seconds * 1000;
    if (targetMs > (latestMs ?? Infinity)) {
      return { ...this.#feedbackFor('error', 'beyond-latest'), stopsAtMs: latestMs };
    }
    // An extension is raised to the earliest stop time.
    const stopsAtMs = Math.max(targetMs, earliestMs ?? 0);
    return seconds < 0 && targetMs < stopsAtMs
      ? { ...this.#feedbackFor('error', 'beyond-earliest'), stopsAtMs }
      : { ...this.#feedbackFor('info', 'preview'), stopsAtMs };
  }

  #boundReached(seconds: number, startMs: number): string | null {
    const { earliestMs, latestMs } = this.#inputs;
    const fromMs = this.#targetMs ?? startMs;
    if (seconds > 0) {
      return fromMs > (latestMs ?? Infinity) - BOUND_MARGIN_MS ? 'at-latest' : null;
    }
    return fromMs < (earliestMs ?? -Infinity) + BOUND_MARGIN_MS ? 'at-earliest' : null;
  }

  /** Return why the current clicks have become pointless; `null` if they have not. */
  #dropReason(moved: boolean): string | null {
    const { blockedReason } = this.#inputs;
    if (this.#requestState === 'collecting') {
      return blockedReason ?? (moved ? 'changed' : null);
    }
    return blockedReason === 'no-kernel' && this.#pendingRequest?.recipient === 'kernel'
      ? blockedReason
      : null;
  }

  #startCollecting(): void {
    this.#requestState = 'collecting';
    this.#timer.set(CLICK_COLLECTION_MS, () => {
      this.#sendCollected();
    });
  }

  #sendCollected(): void {
    const targetMs = this.#targetMs ?? this.#fromMs;
    const seconds = Math.trunc((targetMs - this.#fromMs) / 1000);
    if (seconds === 0) {
      this.#finish(null);
      return;
    }
    this.#sendNow(targetMs, {
      id: this.#options.newId(),
      action: seconds > 0 ? 'extend' : 'shorten',
      seconds: Math.abs(seconds),
      base_stops_at_ms: this.#inputs.baseStopMs ?? 0,
    });
  }

  #sendNow(targetMs: number, request: ChangeRequest): void {
    this.#requestState = 'sent';
    // This is set before the call, because the response may arrive within it.
    this.#pendingRequest = {
      ...request,
      targetMs,
      recipient: 'page',
      reachedBound: this.#reachedBound,
    };
    this.#waitForResponse();
    const recipient = this.#options.sendRequest(request);
    if (recipient === null) {
      this.#finish(this.#feedbackFor('error', 'no-kernel'));
    } else if (this.pendingRequest !== null) {
      this.#pendingRequest = { ...this.pendingRequest, recipient };
    }
  }

  #waitForResponse(): void {
    this.#timer.set(SLOW_REQUEST_MS, () => {
      // The time that a user takes to answer a question about the request does not count.
      if (document.querySelector('.jp-Dialog')) {
        this.#waitForResponse();
        return;
      }
      this.#requestState = 'slow';
      this.#options.onChange();
    });
  }

  #handlePendingResult(request: PendingRequest, result: ChangeResult): void {
    const unsentMs = (this.#targetMs ?? request.targetMs) - request.targetMs;
    const { fromMs } = this.#inputs;
    this.#finish(this.#resultFeedback(request, result));
    if (result.ok && result.effect === 'now' && unsentMs !== 0 && fromMs !== null) {
      this.#addToTarget(unsentMs / 1000);
      this.#startCollecting();
      this.#options.onChange();
    }
  }

  #handleLateResult(request: PendingRequest, result: ChangeResult): void {
    const feedback = this.#resultFeedback(request, result);
    this.#setFeedback(
      result.ok ? { ...feedback, codes: ['too-late', ...feedback.codes] } : feedback,
    );
  }

  #resultFeedback(request: PendingRequest, result: ChangeResult): Feedback {
    const effect = result.ok ? result.effect : null;
    return {
      ...this.#feedbackFor(effect === null ? 'error' : TONE_BY_EFFECT[effect]),
      codes:
        effect === null ? [result.code || 'failed'] : this.#effectCodes(request, result, effect),
      durationS: result.values.duration_s ?? null,
      previousDurationS: result.values.previous_duration_s ?? null,
      text: result.text,
    };
  }

  #effectCodes(request: PendingRequest, result: ChangeResult, effect: ChangeEffect): string[] {
    if (effect === 'next-start') {
      return [`next-start-${request.action}`];
    }
    const bound = result.code || request.reachedBound;
    // If the new stop time has not arrived yet, the sentence must not mention the old one.
    const stopTimeUnchanged =
      effect === 'now' && !stopTimesDiffer(this.#inputs.stopsAtMs, request.base_stops_at_ms);
    return [...(bound ? [bound] : []), stopTimeUnchanged ? 'done' : effect];
  }

  #feedbackFor(tone: Feedback['tone'], ...codes: string[]): Feedback {
    const { stopsAtMs } = this.#inputs;
    return { tone, codes, stopsAtMs, durationS: null, previousDurationS: null, text: '' };
  }

  /** Move the target by some seconds, within the bounds. An extension is raised to the earliest one. */
  #addToTarget(seconds: number): void {
    const { earliestMs, latestMs } = this.#inputs;
    const fromMs = this.#targetMs ?? this.#startCounting();
    const targetMs = fromMs + seconds * 1000;
    this.#targetMs = Math.min(Math.max(targetMs, earliestMs ?? 0), latestMs ?? Infinity);
    const isRaised = this.#targetMs > targetMs && seconds < 0;
    this.#reachedBound = this.#targetMs < targetMs ? 'at-latest' : isRaised ? 'at-earliest' : null;
  }

  /** Return the time from which the first of the collected clicks counts. */
  #startCounting(): number {
    return (this.#fromMs = this.#inputs.fromMs ?? 0);
  }

  #finish(feedback: Feedback | null): void {
    this.#timer.clear();
    this.#requestState = 'ready';
    this.#targetMs = null;
    this.#pendingRequest = null;
    this.#setFeedback(feedback);
  }

  #setFeedback(feedback: Feedback | null): void {
    this.#feedback = feedback;
    this.#options.onChange();
  }
}
