/**
 * What the buttons do, without a page: several clicks become one request, the outcome is shown
 * before it is known and taken back when it is refused, and a click that has to wait says so.
 */

import { RestartableTimer, type Timers } from './clock';
import type { ChangeResult, ChangeRequest } from './messages';
import { stopTimesDiffer } from './phase';

/** Clicks are collected until none came for this long. */
export const CLICK_COLLECTION_MS = 500;
/** A request unanswered for this long counts as waiting. */
export const SLOW_REQUEST_MS = 1_000;
/** So near to a bound that a change would not be worth a request. */
const BOUND_MARGIN_MS = 60_000;

/** Who took a request: the page's extension or the kernel. */
export type Recipient = 'page' | 'kernel';

/** Where a click is. */
export type RequestState = 'ready' | 'collecting' | 'sent' | 'slow';

/** What the buttons act on, as now known. */
export interface ActionInputs {
  readonly stopsAtMs: number | null;
  /** A code of sentences.ts that says why nothing can be changed, else `null`. */
  readonly blockedReason: string | null;
  readonly earliestMs: number | null;
  readonly latestMs: number | null;
}

/** A sentence under the buttons, before it is worded. */
export interface Feedback {
  readonly tone: 'info' | 'success' | 'error';
  readonly codes: readonly string[];
  /** The stop time that the sentence speaks of. */
  readonly stopsAtMs: number | null;
  readonly durationS: number | null;
  readonly previousDurationS: number | null;
  /** The sentence in the kernel's words, when `codes` has none of ours. */
  readonly text: string;
}

/** A request on its way. */
export interface PendingRequest extends ChangeRequest {
  readonly recipient: Recipient;
  readonly targetMs: number;
  /** The bound that the clicks ran into, as a code of sentences.ts. */
  readonly reachedBound: string | null;
}

/** What {@link Actions} is made of. */
export interface ActionsOptions {
  readonly timers: Timers;
  readonly newId: () => string;
  /** Send a request; answers who took it, `null` when nobody can. */
  readonly sendRequest: (request: ChangeRequest) => Recipient | null;
  /** Tell whoever took it that the person does not want it any more. */
  readonly cancelRequest: (id: string, route: Recipient) => void;
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
  blockedReason: 'unknown',
  earliestMs: null,
  latestMs: null,
};

/** The state machine behind **+1 h**, **−1 h** and the custom duration. */
export class Actions {
  readonly #options: ActionsOptions;
  #inputs: ActionInputs = NO_INPUTS;
  #targetMs: number | null = null;
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

  /** Where the last click is. */
  get requestState(): RequestState {
    return this.#requestState;
  }

  /** What there is to say about the last click. */
  get feedback(): Feedback | null {
    return this.#feedback;
  }

  /** The request on its way, if any. */
  get pendingRequest(): PendingRequest | null {
    return this.#pendingRequest;
  }

  /** The stop time to show: the one asked for, until it is refused or has to wait. */
  get shownStopMs(): number | null {
    return this.#requestState === 'slow'
      ? this.#inputs.stopsAtMs
      : (this.#targetMs ?? this.#inputs.stopsAtMs);
  }

  /** Why a change in this direction cannot be asked for now, as a code of sentences.ts, else `null`. */
  blockedReason(seconds: number): string | null {
    const { blockedReason, stopsAtMs } = this.#inputs;
    if (blockedReason !== null || stopsAtMs === null) {
      return blockedReason ?? 'unknown';
    }
    return this.#requestState === 'slow' ? 'kernel-busy' : this.#boundReached(seconds, stopsAtMs);
  }

  /** One click, by so many seconds (negative: sooner). */
  click(seconds: number): void {
    const reason = this.blockedReason(seconds);
    if (reason !== null) {
      this.#setFeedback(this.#feedbackFor('info', reason));
      return;
    }
    const from = this.#targetMs ?? this.#inputs.stopsAtMs ?? 0;
    this.#targetMs = this.#clampToBounds(from + seconds * 1000);
    this.#feedback =
      this.#reachedBound === null ? null : this.#feedbackFor('info', this.#reachedBound);
    if (this.#pendingRequest === null) {
      this.#startCollecting();
    }
    this.#options.onChange();
  }

  /** Take back the request under way, as far as that can be known. */
  cancel(): void {
    const request = this.#pendingRequest;
    if (request !== null) {
      this.#cancelled.set(request.id, request);
      this.#finish(this.#feedbackFor('info', 'cancel-requested'));
      this.#options.cancelRequest(request.id, request.recipient);
    }
  }

  /** The outcome of a request. Call {@link update} with the state it brought before this. */
  handleResult(id: string, result: ChangeResult): void {
    const cancelled = this.#cancelled.get(id);
    if (cancelled) {
      this.#cancelled.delete(id);
      this.#handleLateResult(cancelled, result);
    } else if (this.#pendingRequest?.id === id) {
      this.#handlePendingResult(this.#pendingRequest, result);
    }
  }

  /** The state as now known. A click not yet sent is dropped when it was made on another one. */
  update(inputs: ActionInputs): void {
    const stopTimeMoved = stopTimesDiffer(inputs.stopsAtMs, this.#inputs.stopsAtMs);
    this.#inputs = inputs;
    const dropReason = this.#dropReason(stopTimeMoved);
    if (dropReason !== null) {
      this.#finish(this.#feedbackFor('error', dropReason));
    } else if (stopTimeMoved && this.#feedback?.stopsAtMs !== inputs.stopsAtMs) {
      this.#feedback = null;
    }
  }

  /** Say something that is not about a request, such as a duration that cannot be read. */
  showError(code: string): void {
    this.#setFeedback(this.#feedbackFor('error', code));
  }

  /** Send what was clicked and not sent yet, then stop. Calling it twice is fine. */
  dispose(): void {
    if (this.#requestState === 'collecting') {
      this.#sendCollected();
    }
    this.#timer.clear();
  }

  #boundReached(seconds: number, stopsAtMs: number): string | null {
    const { earliestMs, latestMs } = this.#inputs;
    const fromMs = this.#targetMs ?? stopsAtMs;
    if (seconds > 0) {
      return fromMs > (latestMs ?? Infinity) - BOUND_MARGIN_MS ? 'at-latest' : null;
    }
    return fromMs < (earliestMs ?? -Infinity) + BOUND_MARGIN_MS ? 'at-earliest' : null;
  }

  /** Why the click under way came to nothing, `null` while it did not. */
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
    const stopsAtMs = this.#inputs.stopsAtMs ?? 0;
    const targetMs = this.#targetMs ?? stopsAtMs;
    const seconds = Math.trunc((targetMs - stopsAtMs) / 1000);
    if (seconds === 0) {
      this.#finish(null);
      return;
    }
    this.#sendNow(targetMs, {
      id: this.#options.newId(),
      action: seconds > 0 ? 'extend' : 'shorten',
      seconds: Math.abs(seconds),
      base_stops_at_ms: stopsAtMs,
    });
  }

  #sendNow(targetMs: number, request: ChangeRequest): void {
    this.#requestState = 'sent';
    // Set before asking: a page may answer within the call.
    this.#pendingRequest = {
      ...request,
      targetMs,
      recipient: 'page',
      reachedBound: this.#reachedBound,
    };
    this.#timer.set(SLOW_REQUEST_MS, () => {
      this.#requestState = 'slow';
      this.#options.onChange();
    });
    const recipient = this.#options.sendRequest(request);
    if (recipient === null) {
      this.#finish(this.#feedbackFor('error', 'no-kernel'));
    } else if (this.pendingRequest !== null) {
      // Otherwise it was answered within the call.
      this.#pendingRequest = { ...this.pendingRequest, recipient };
    }
  }

  #handlePendingResult(request: PendingRequest, result: ChangeResult): void {
    const unsentMs = (this.#targetMs ?? request.targetMs) - request.targetMs;
    const { stopsAtMs } = this.#inputs;
    this.#finish(this.#resultFeedback(request, result));
    if (result.ok && result.effect === 'now' && unsentMs !== 0 && stopsAtMs !== null) {
      this.#targetMs = this.#clampToBounds(stopsAtMs + unsentMs);
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
    // Done, but the new stop time has not come: no sentence may name the old one.
    const stopTimeUnchanged =
      effect === 'now' && !stopTimesDiffer(this.#inputs.stopsAtMs, request.base_stops_at_ms);
    return [...(bound ? [bound] : []), stopTimeUnchanged ? 'done' : effect];
  }

  #feedbackFor(tone: Feedback['tone'], ...codes: string[]): Feedback {
    const { stopsAtMs } = this.#inputs;
    return { tone, codes, stopsAtMs, durationS: null, previousDurationS: null, text: '' };
  }

  #clampToBounds(targetMs: number): number {
    const { earliestMs, latestMs } = this.#inputs;
    this.#reachedBound = null;
    if (latestMs !== null && targetMs > latestMs) {
      this.#reachedBound = 'at-latest';
      return latestMs;
    }
    if (earliestMs !== null && targetMs < earliestMs) {
      this.#reachedBound = 'at-earliest';
      return earliestMs;
    }
    return targetMs;
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
