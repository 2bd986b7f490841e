/** One view of the countdown: model, clock, buttons and elements put together. */

import { Actions, type Facts, type Route } from './actions';
import { ServerClock, Ticker, type Timers, type Wakeup } from './clock';
import { Link } from './kernel-link';
import {
  type ChangeRequest,
  EVENTS,
  fields,
  type Model,
  number,
  readAnswer,
  readSnapshot,
  readState,
  type Snapshot,
  text,
} from './messages';
import { isCounting, msToNextChange, type PhaseInput, read } from './phase';
import { Thresholds } from './thresholds';
import { CountdownView, type Waiting } from './view';
import { commandDuration, parseDuration, stopsIn, type Words, wordsFor } from './format';

/** What a test replaces. */
export interface Surroundings {
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly newId: () => string;
}

/** What anywidget calls `render` with. */
export interface RenderContext {
  readonly model: Model;
  readonly el: HTMLElement;
}

/** An offset older than this is taken anew when the page wakes up. */
const STALE_MS = 3_600_000;

const TRAITS = ['state', 'as_of_ms', 'language', 'terminal_prefix'];

/** One view of the countdown. */
export class CountdownWidget {
  readonly #model: Model;
  readonly #clock: ServerClock;
  readonly #view: CountdownView;
  readonly #actions: Actions;
  readonly #link: Link;
  readonly #ticker: Ticker;
  readonly #thresholds = new Thresholds();
  #snapshot: Snapshot = { state: readState(null), as_of_ms: 0 };
  #words: Words = wordsFor('');
  #disposed = false;

  constructor({ model, el }: RenderContext, { timers, wakeups, newId }: Surroundings) {
    const poke = (): void => {
      this.#ticker.poke();
    };
    this.#model = model;
    this.#clock = new ServerClock(timers);
    this.#view = new CountdownView(el, {
      onChange: (seconds) => {
        this.#actions.click(seconds);
      },
      onCustom: this.#onCustom,
      onCancel: () => {
        this.#actions.cancel();
      },
    });
    this.#actions = new Actions({
      timers,
      newId,
      ask: this.#ask,
      withdraw: this.#withdraw,
      onChange: poke,
    });
    this.#link = new Link({ model, timers, onChange: poke });
    const evaluate = (): number | null => this.#evaluate();
    this.#ticker = new Ticker({ timers, wakeups, evaluate, onWake: this.#onWake });
    this.#listen();
  }

  /** Stop, send a click that was not sent yet, remove everything. Calling it twice is fine. */
  readonly dispose = (): void => {
    this.#actions.dispose();
    this.#disposed = true;
    this.#ticker.dispose();
    this.#link.dispose();
    for (const trait of TRAITS) {
      this.#model.off(`change:${trait}`, this.#onTrait);
    }
    this.#model.off('msg:custom', this.#onMessage);
    this.#view.root.removeEventListener(EVENTS.state, this.#onPushed);
    this.#view.dispose();
  };

  #listen(): void {
    for (const trait of TRAITS) {
      this.#model.on(`change:${trait}`, this.#onTrait);
    }
    this.#model.on('msg:custom', this.#onMessage);
    this.#view.root.addEventListener(EVENTS.state, this.#onPushed);
    this.#link.hello();
    this.#onTrait();
  }

  #evaluate(): number | null {
    if (this.#clock.jumped()) {
      this.#link.hello();
    }
    const frozen = this.#link.company === 'nobody';
    const nowMs = frozen ? this.#snapshot.as_of_ms : this.#clock.now();
    this.#actions.update(this.#facts(nowMs));
    const input = this.#phaseInput(this.#actions.shownStopMs);
    this.#show(input, nowMs, frozen);
    if (frozen) {
      return null;
    }
    this.#announceThreshold(nowMs);
    return msToNextChange(input, nowMs);
  }

  #show(input: PhaseInput, nowMs: number, frozen: boolean): void {
    this.#view.update({
      words: this.#words,
      snapshot: this.#snapshot,
      stopsAtMs: input.stopsAtMs,
      nowMs,
      reading: read(input, nowMs),
      frozen,
      checked: this.#clock.checked || this.#link.greeting,
      blockedPlus: this.#actions.blocked(1),
      blockedMinus: this.#actions.blocked(-1),
      note: this.#actions.note,
      waiting: this.#waiting(),
    });
  }

  #waiting(): Waiting | null {
    const { flight, stage } = this.#actions;
    if (flight === null || stage !== 'waiting') {
      return null;
    }
    const { route, action, seconds } = flight;
    const prefix = route === 'kernel' && text(this.#model.get('terminal_prefix'));
    return { route, command: prefix ? `${prefix} ${action} ${commandDuration(seconds)}` : '' };
  }

  #phaseInput(stopsAtMs: number | null): PhaseInput {
    const { status, enabled, mode } = this.#snapshot.state;
    return { status, enabled, mode, stopsAtMs };
  }

  #facts(nowMs: number): Facts {
    const { state, as_of_ms: asOfMs } = this.#snapshot;
    const { bounds } = state;
    const sinceMs = bounds?.from_now ? Math.max(nowMs - asOfMs, 0) : 0;
    return {
      stopsAtMs: state.stops_at_ms,
      blocked: this.#blocked(nowMs),
      earliestMs: bounds && bounds.earliest_stop_ms + sinceMs,
      latestMs: bounds && bounds.latest_stop_ms + sinceMs,
    };
  }

  #blocked(nowMs: number): string | null {
    const { state } = this.#snapshot;
    const { phase } = read(this.#phaseInput(state.stops_at_ms), nowMs);
    if (this.#link.company === 'nobody') {
      return 'no-kernel';
    }
    if (!isCounting(phase)) {
      return phase;
    }
    return state.can_change ? null : state.reason || 'not-supported';
  }

  #announceThreshold(nowMs: number): void {
    const stopsAtMs = this.#snapshot.state.stops_at_ms;
    const { remainingS } = read(this.#phaseInput(stopsAtMs), nowMs);
    if (stopsAtMs && remainingS && this.#thresholds.crossed(stopsAtMs, remainingS)) {
      this.#view.announce(stopsIn(this.#words, stopsAtMs, remainingS));
    }
  }

  readonly #onCustom = (typed: string): void => {
    const seconds = parseDuration(typed);
    this.#view.acceptCustom(seconds !== null);
    if (seconds === null) {
      this.#actions.complain('bad-duration');
    } else {
      this.#actions.click(seconds);
    }
  };

  readonly #ask = (request: ChangeRequest): Route | null => {
    const respond = (answer: unknown): void => {
      this.#onAnswer(request.id, answer);
    };
    if (this.#dispatch(EVENTS.request, { ...request, respond })) {
      return 'page';
    }
    return this.#link.send({ type: 'request', ...request }) ? 'kernel' : null;
  };

  readonly #withdraw = (id: string, route: Route): void => {
    if (route === 'page') {
      this.#dispatch(EVENTS.cancel, { id });
    } else {
      this.#link.send({ type: 'cancel', id });
    }
  };

  /** Dispatch an event to the page; answers whether somebody took it. */
  #dispatch(type: string, detail: object): boolean {
    const event = new CustomEvent(type, { detail, bubbles: true, cancelable: true });
    return !this.#view.root.dispatchEvent(event);
  }

  readonly #onWake = (): void => {
    if (!this.#link.greeting && this.#clock.ageMs > STALE_MS) {
      this.#link.hello();
    }
  };

  #apply(snapshot: Snapshot): void {
    if (snapshot.as_of_ms >= this.#snapshot.as_of_ms) {
      this.#snapshot = snapshot;
    }
  }

  #heard(raw: unknown): void {
    const serverNowMs = number(fields(raw).server_now_ms);
    if (serverNowMs !== null) {
      this.#clock.sync(serverNowMs);
      this.#link.answered();
    }
  }

  #onAnswer(id: string, raw: unknown): void {
    if (this.#disposed) {
      return;
    }
    const snapshot = readSnapshot(raw);
    this.#heard(raw);
    if (snapshot !== null) {
      this.#apply(snapshot);
    }
    this.#ticker.poke();
    this.#actions.answer(id, readAnswer(raw));
  }

  readonly #onTrait = (): void => {
    this.#words = wordsFor(text(this.#model.get('language')));
    const state = readState(this.#model.get('state'));
    this.#apply({ state, as_of_ms: number(this.#model.get('as_of_ms')) ?? 0 });
    this.#ticker.poke();
  };

  readonly #onMessage = (raw: unknown): void => {
    const { type, id } = fields(raw);
    this.#link.meet('kernel');
    if (type === 'result') {
      this.#onAnswer(text(id), raw);
    } else {
      this.#heard(raw);
      this.#ticker.poke();
    }
  };

  readonly #onPushed = (event: Event): void => {
    const detail: unknown = (event as CustomEvent<unknown>).detail;
    const snapshot = readSnapshot(detail);
    if (snapshot !== null) {
      this.#heard(detail);
      this.#apply(snapshot);
      this.#link.meet('page');
      this.#ticker.poke();
    }
  };
}
