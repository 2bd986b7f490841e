/**
 * What the buttons do, without a page: several clicks become one request, the outcome is shown
 * before it is known and taken back when it is refused, and a click that has to wait says so.
 */

import { Alarm, type Timers } from './clock';
import type { Answer, ChangeRequest } from './messages';
import { differ } from './phase';

/** Clicks are collected until none came for this long. */
export const COLLECT_MS = 500;
/** A request unanswered for this long counts as waiting. */
export const WAIT_MS = 1_000;
/** So near to a bound that a change would not be worth a request. */
const AT_BOUND_MS = 60_000;

/** Who took a request: the page's extension or the kernel. */
export type Route = 'page' | 'kernel';

/** Where a click is. */
export type Stage = 'ready' | 'collecting' | 'sent' | 'waiting';

/** What the buttons act on, as now known. */
export interface Facts {
  readonly stopsAtMs: number | null;
  /** A code of sentences.ts that says why nothing can be changed, else `null`. */
  readonly blocked: string | null;
  readonly earliestMs: number | null;
  readonly latestMs: number | null;
}

/** A sentence under the buttons, before it is worded. */
export interface Note {
  readonly tone: 'info' | 'good' | 'bad';
  readonly codes: readonly string[];
  /** The stop time that the sentence speaks of. */
  readonly stopsAtMs: number | null;
  readonly durationS: number | null;
  readonly previousDurationS: number | null;
  /** The sentence in the kernel's words, when `codes` has none of ours. */
  readonly text: string;
}

/** A request on its way. */
export interface Flight extends ChangeRequest {
  readonly route: Route;
  readonly targetMs: number;
  /** The bound that the clicks ran into, as a code of sentences.ts. */
  readonly limit: string | null;
}

/** What {@link Actions} is made of. */
export interface ActionsOptions {
  readonly timers: Timers;
  readonly newId: () => string;
  /** Send a request; answers who took it, `null` when nobody can. */
  readonly ask: (request: ChangeRequest) => Route | null;
  /** Tell whoever took it that the person does not want it any more. */
  readonly withdraw: (id: string, route: Route) => void;
  readonly onChange: () => void;
}

type Effect = NonNullable<Answer['effect']>;

const TONES: Record<Effect, Note['tone']> = {
  now: 'good',
  'next-start': 'bad',
  unconfirmed: 'info',
};

const NO_FACTS: Facts = { stopsAtMs: null, blocked: 'unknown', earliestMs: null, latestMs: null };

/** The state machine behind **+1 h**, **−1 h** and the custom duration. */
export class Actions {
  readonly #options: ActionsOptions;
  #facts: Facts = NO_FACTS;
  #targetMs: number | null = null;
  #limit: string | null = null;
  readonly #alarm: Alarm;
  readonly #cancelled = new Map<string, Flight>();
  #current: Stage = 'ready';
  #said: Note | null = null;
  #sent: Flight | null = null;

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.timers);
  }

  /** Where the last click is. */
  get stage(): Stage {
    return this.#current;
  }

  /** What there is to say about the last click. */
  get note(): Note | null {
    return this.#said;
  }

  /** The request on its way, if any. */
  get flight(): Flight | null {
    return this.#sent;
  }

  /** The stop time to show: the one asked for, until it is refused or has to wait. */
  get shownStopMs(): number | null {
    return this.#current === 'waiting'
      ? this.#facts.stopsAtMs
      : (this.#targetMs ?? this.#facts.stopsAtMs);
  }

  /** Why a change in this direction cannot be asked for now, as a code of sentences.ts, else `null`. */
  blocked(seconds: number): string | null {
    const { blocked, stopsAtMs } = this.#facts;
    if (blocked !== null || stopsAtMs === null) {
      return blocked ?? 'unknown';
    }
    return this.#current === 'waiting' ? 'click-waits' : this.#atBound(seconds, stopsAtMs);
  }

  /** One click, by so many seconds (negative: sooner). */
  click(seconds: number): void {
    const reason = this.blocked(seconds);
    if (reason !== null) {
      this.#say(this.#plain('info', reason));
      return;
    }
    const from = this.#targetMs ?? this.#facts.stopsAtMs ?? 0;
    this.#targetMs = this.#clamp(from + seconds * 1000);
    this.#said = this.#limit === null ? null : this.#plain('info', this.#limit);
    if (this.#sent === null) {
      this.#collect();
    }
    this.#options.onChange();
  }

  /** Take back the request under way, as far as that can be known. */
  cancel(): void {
    const flight = this.#sent;
    if (flight !== null) {
      this.#cancelled.set(flight.id, flight);
      this.#settle(this.#plain('info', 'cancel-sent'));
      this.#options.withdraw(flight.id, flight.route);
    }
  }

  /** The outcome of a request. Call {@link update} with the state it brought before this. */
  answer(id: string, answer: Answer): void {
    const cancelled = this.#cancelled.get(id);
    if (cancelled) {
      this.#cancelled.delete(id);
      this.#answerLate(cancelled, answer);
    } else if (this.#sent?.id === id) {
      this.#answerFlight(this.#sent, answer);
    }
  }

  /** The state as now known. A click not yet sent is dropped when it was made on another one. */
  update(facts: Facts): void {
    const moved = differ(facts.stopsAtMs, this.#facts.stopsAtMs);
    this.#facts = facts;
    const lost = this.#lost(moved);
    if (lost !== null) {
      this.#settle(this.#plain('bad', lost));
    } else if (moved && this.#said?.stopsAtMs !== facts.stopsAtMs) {
      this.#said = null;
    }
  }

  /** Say something that is not about a request, such as a duration that cannot be read. */
  complain(code: string): void {
    this.#say(this.#plain('bad', code));
  }

  /** Send what was clicked and not sent yet, then stop. Calling it twice is fine. */
  dispose(): void {
    if (this.#current === 'collecting') {
      this.#flush();
    }
    this.#alarm.clear();
  }

  #atBound(seconds: number, stopsAtMs: number): string | null {
    const { earliestMs, latestMs } = this.#facts;
    const fromMs = this.#targetMs ?? stopsAtMs;
    if (seconds > 0) {
      return fromMs > (latestMs ?? Infinity) - AT_BOUND_MS ? 'at-latest' : null;
    }
    return fromMs < (earliestMs ?? -Infinity) + AT_BOUND_MS ? 'at-earliest' : null;
  }

  /** Why the click under way came to nothing, `null` while it did not. */
  #lost(moved: boolean): string | null {
    const { blocked } = this.#facts;
    if (this.#current === 'collecting') {
      return blocked ?? (moved ? 'changed' : null);
    }
    return blocked === 'no-kernel' && this.#sent?.route === 'kernel' ? blocked : null;
  }

  #collect(): void {
    this.#current = 'collecting';
    this.#alarm.set(COLLECT_MS, () => {
      this.#flush();
    });
  }

  #flush(): void {
    const stopsAtMs = this.#facts.stopsAtMs ?? 0;
    const targetMs = this.#targetMs ?? stopsAtMs;
    const seconds = Math.trunc((targetMs - stopsAtMs) / 1000);
    if (seconds === 0) {
      this.#settle(null);
      return;
    }
    this.#send(targetMs, {
      id: this.#options.newId(),
      action: seconds > 0 ? 'extend' : 'shorten',
      seconds: Math.abs(seconds),
      base_stops_at_ms: stopsAtMs,
    });
  }

  #send(targetMs: number, request: ChangeRequest): void {
    this.#current = 'sent';
    // Set before asking: a page may answer within the call.
    this.#sent = { ...request, targetMs, route: 'page', limit: this.#limit };
    this.#alarm.set(WAIT_MS, () => {
      this.#current = 'waiting';
      this.#options.onChange();
    });
    const route = this.#options.ask(request);
    if (route === null) {
      this.#settle(this.#plain('bad', 'no-kernel'));
    } else if (this.flight !== null) {
      // Otherwise it was answered within the call.
      this.#sent = { ...this.flight, route };
    }
  }

  #answerFlight(flight: Flight, answer: Answer): void {
    const queuedMs = (this.#targetMs ?? flight.targetMs) - flight.targetMs;
    const { stopsAtMs } = this.#facts;
    this.#settle(this.#outcome(flight, answer));
    if (answer.ok && answer.effect === 'now' && queuedMs !== 0 && stopsAtMs !== null) {
      this.#targetMs = this.#clamp(stopsAtMs + queuedMs);
      this.#collect();
      this.#options.onChange();
    }
  }

  #answerLate(flight: Flight, answer: Answer): void {
    const note = this.#outcome(flight, answer);
    this.#say(answer.ok ? { ...note, codes: ['too-late', ...note.codes] } : note);
  }

  #outcome(flight: Flight, answer: Answer): Note {
    const effect = answer.ok ? answer.effect : null;
    return {
      ...this.#plain(effect === null ? 'bad' : TONES[effect]),
      codes:
        effect === null ? [answer.code || 'failed'] : this.#effectCodes(flight, answer, effect),
      durationS: answer.values.duration_s ?? null,
      previousDurationS: answer.values.previous_duration_s ?? null,
      text: answer.text,
    };
  }

  #effectCodes(flight: Flight, answer: Answer, effect: Effect): string[] {
    if (effect === 'next-start') {
      return [`next-start-${flight.action}`];
    }
    const limit = answer.code || flight.limit;
    // Done, but the new stop time has not come: no sentence may name the old one.
    const unread = effect === 'now' && !differ(this.#facts.stopsAtMs, flight.base_stops_at_ms);
    return [...(limit ? [limit] : []), unread ? 'done' : effect];
  }

  #plain(tone: Note['tone'], ...codes: string[]): Note {
    const { stopsAtMs } = this.#facts;
    return { tone, codes, stopsAtMs, durationS: null, previousDurationS: null, text: '' };
  }

  #clamp(targetMs: number): number {
    const { earliestMs, latestMs } = this.#facts;
    this.#limit = null;
    if (latestMs !== null && targetMs > latestMs) {
      this.#limit = 'at-latest';
      return latestMs;
    }
    if (earliestMs !== null && targetMs < earliestMs) {
      this.#limit = 'at-earliest';
      return earliestMs;
    }
    return targetMs;
  }

  #settle(note: Note | null): void {
    this.#alarm.clear();
    this.#current = 'ready';
    this.#targetMs = null;
    this.#sent = null;
    this.#say(note);
  }

  #say(note: Note | null): void {
    this.#said = note;
    this.#options.onChange();
  }
}
