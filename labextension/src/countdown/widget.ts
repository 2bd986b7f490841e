/** The countdown as an anywidget: one model in the kernel, any number of views in pages. */

import { Actions, type Facts, type Route } from './actions';
import {
  browserTimers,
  browserWakeups,
  ServerClock,
  Thresholds,
  Ticker,
  type Timers,
  type Wakeup,
} from './clock';
import {
  type Answer,
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
import { CountdownView, type Waiting } from './view';
import { commandDuration, parseDuration, stopsIn, type Words, wordsFor } from './words';

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

/** A hello unanswered for this long: the kernel is busy, and the time is marked as unchecked. */
const HELLO_MS = 1_000;
/** An offset older than this is taken anew when the page wakes up. */
const STALE_MS = 3_600_000;

const TRAITS = ['state', 'as_of_ms', 'language', 'terminal_prefix', 'own_id'];

/** Whether somebody can be asked: not known yet, the kernel, the page's extension, or nobody. */
type Company = 'unknown' | 'kernel' | 'page' | 'nobody';

/** One view of the countdown. */
export class CountdownWidget {
  private readonly model: Model;
  private readonly timers: Timers;
  private readonly clock: ServerClock;
  private readonly view: CountdownView;
  private readonly actions: Actions;
  private readonly ticker: Ticker;
  private readonly thresholds = new Thresholds();
  private snapshot: Snapshot = { state: readState(null), as_of_ms: 0 };
  private words: Words = wordsFor('');
  private company: Company = 'unknown';
  private graceTimer: number | null = null;
  private inGrace = false;
  private disposed = false;

  constructor({ model, el }: RenderContext, { timers, wakeups, newId }: Surroundings) {
    this.model = model;
    this.timers = timers;
    this.clock = new ServerClock(timers);
    this.view = new CountdownView(el, {
      onChange: (seconds) => {
        this.actions.click(seconds);
      },
      onCustom: (typed) => {
        this.custom(typed);
      },
      onCancel: () => {
        this.actions.cancel();
      },
    });
    this.actions = new Actions({
      timers,
      newId,
      ask: (request) => this.ask(request),
      withdraw: (id, route) => {
        this.withdraw(id, route);
      },
      onChange: () => {
        this.ticker.poke();
      },
    });
    this.ticker = new Ticker({
      timers,
      wakeups,
      evaluate: () => this.evaluate(),
      onWake: () => {
        this.wake();
      },
    });
    this.listen();
  }

  /** Stop, send a click that was not sent yet, remove everything. Calling it twice is fine. */
  readonly dispose = (): void => {
    if (this.disposed) {
      return;
    }
    this.actions.dispose();
    this.disposed = true;
    this.ticker.dispose();
    this.clearGrace();
    for (const trait of TRAITS) {
      this.model.off(`change:${trait}`, this.onTrait);
    }
    this.model.off('msg:custom', this.onMessage);
    this.model.off('comm_live_update', this.onCommLive);
    this.view.root.removeEventListener(EVENTS.state, this.onPushed);
    this.view.dispose();
  };

  private listen(): void {
    for (const trait of TRAITS) {
      this.model.on(`change:${trait}`, this.onTrait);
    }
    this.model.on('msg:custom', this.onMessage);
    this.model.on('comm_live_update', this.onCommLive);
    this.view.root.addEventListener(EVENTS.state, this.onPushed);
    this.onTrait();
    this.hello();
    this.onCommLive();
  }

  private evaluate(): number | null {
    if (this.clock.jumped()) {
      this.hello();
    }
    const frozen = this.company === 'nobody';
    const nowMs = frozen ? this.snapshot.as_of_ms : this.clock.now();
    this.actions.update(this.facts(nowMs));
    const input = this.phaseInput(this.actions.shownStopMs);
    this.show(input, nowMs, frozen);
    if (frozen) {
      return null;
    }
    this.announceThreshold(nowMs);
    return msToNextChange(input, nowMs);
  }

  private show(input: PhaseInput, nowMs: number, frozen: boolean): void {
    const { state, as_of_ms: asOfMs } = this.snapshot;
    this.view.update({
      words: this.words,
      reading: read(input, nowMs),
      nowMs,
      stopsAtMs: input.stopsAtMs,
      runStartedAtMs: state.run_started_at_ms,
      durationS: state.duration_s,
      name: state.name,
      api: state.api,
      demo: state.demo,
      unknownReason: state.unknown_reason,
      asOfMs: frozen ? asOfMs : null,
      checked: this.clock.checked || this.inGrace,
      blockedPlus: this.actions.blocked(1),
      blockedMinus: this.actions.blocked(-1),
      note: this.actions.note,
      waiting: this.waiting(),
    });
  }

  private waiting(): Waiting | null {
    const { flight, stage } = this.actions;
    if (flight === null || stage !== 'waiting') {
      return null;
    }
    const prefix = text(this.model.get('terminal_prefix'));
    const command = `${prefix} ${flight.action} ${commandDuration(flight.seconds)}`;
    return { route: flight.route, command: prefix && command, askedMs: flight.targetMs };
  }

  private phaseInput(stopsAtMs: number | null): PhaseInput {
    const { status, enabled, mode } = this.snapshot.state;
    return { status, enabled, mode, stopsAtMs };
  }

  private facts(nowMs: number): Facts {
    const { state, as_of_ms: asOfMs } = this.snapshot;
    const { bounds } = state;
    const sinceMs = bounds?.from_now ? Math.max(nowMs - asOfMs, 0) : 0;
    return {
      stopsAtMs: state.stops_at_ms,
      blocked: this.blocked(nowMs),
      earliestMs: bounds && bounds.earliest_stop_ms + sinceMs,
      latestMs: bounds && bounds.latest_stop_ms + sinceMs,
    };
  }

  private blocked(nowMs: number): string | null {
    const { state } = this.snapshot;
    const { phase } = read(this.phaseInput(state.stops_at_ms), nowMs);
    if (this.company === 'nobody') {
      return 'no-kernel';
    }
    if (!isCounting(phase)) {
      return phase;
    }
    return state.can_change ? null : state.reason || 'not-supported';
  }

  private announceThreshold(nowMs: number): void {
    const stopsAtMs = this.snapshot.state.stops_at_ms;
    const { phase, remainingS } = read(this.phaseInput(stopsAtMs), nowMs);
    if (stopsAtMs === null || remainingS === null || !isCounting(phase)) {
      return;
    }
    if (this.thresholds.crossed(stopsAtMs, remainingS) !== null) {
      this.view.announce(stopsIn(this.words, stopsAtMs, remainingS));
    }
  }

  private custom(typed: string): void {
    const seconds = parseDuration(typed);
    this.view.acceptCustom(seconds !== null);
    if (seconds === null) {
      this.actions.complain('bad-duration');
    } else {
      this.actions.click(seconds);
    }
  }

  private ask(request: ChangeRequest): Route | null {
    const respond = (answer: unknown): void => {
      this.onAnswer(request.id, answer);
    };
    if (this.dispatch(EVENTS.request, { ...request, respond })) {
      return 'page';
    }
    return this.send({ type: 'request', ...request }) ? 'kernel' : null;
  }

  private withdraw(id: string, route: Route): void {
    if (route === 'page') {
      this.dispatch(EVENTS.cancel, { id });
    } else {
      this.send({ type: 'cancel', id });
    }
  }

  /** Dispatch an event to the page; answers whether somebody took it. */
  private dispatch(type: string, detail: object): boolean {
    const event = new CustomEvent(type, { detail, bubbles: true, cancelable: true });
    return !this.view.root.dispatchEvent(event);
  }

  private send(message: Parameters<Model['send']>[0]): boolean {
    try {
      this.model.send(message);
      return true;
    } catch {
      // A closed comm throws; that is how the loss of the kernel is noticed.
      this.meet('nobody');
      return false;
    }
  }

  private hello(): void {
    this.clearGrace();
    this.inGrace = this.send({ type: 'hello' });
    this.graceTimer = this.timers.setTimeout(() => {
      this.graceTimer = null;
      this.inGrace = false;
      this.ticker.poke();
    }, HELLO_MS);
    this.dispatch(EVENTS.hello, {});
  }

  private wake(): void {
    if (this.company !== 'nobody' && this.clock.ageMs > STALE_MS && this.graceTimer === null) {
      this.hello();
    }
  }

  private meet(company: Company): void {
    if (company !== this.company && !this.disposed) {
      this.company = company;
      this.ticker.poke();
    }
  }

  private apply(snapshot: Snapshot): void {
    if (snapshot.as_of_ms >= this.snapshot.as_of_ms) {
      this.snapshot = snapshot;
      this.clock.notBefore(snapshot.as_of_ms);
    }
  }

  private onAnswer(id: string, raw: unknown): void {
    if (this.disposed) {
      return;
    }
    const answer: Answer = readAnswer(raw);
    this.heard(answer.server_now_ms);
    if (answer.state !== null && answer.as_of_ms !== null) {
      this.apply({ state: answer.state, as_of_ms: answer.as_of_ms });
    }
    this.ticker.poke();
    this.actions.answer(id, answer);
  }

  private heard(serverNowMs: number | null): void {
    if (serverNowMs !== null) {
      this.clock.sync(serverNowMs);
      this.clearGrace();
      this.inGrace = false;
    }
  }

  private readonly onTrait = (): void => {
    this.words = wordsFor(text(this.model.get('language')));
    const state = readState(this.model.get('state'));
    this.apply({ state, as_of_ms: number(this.model.get('as_of_ms')) ?? 0 });
    this.ticker.poke();
  };

  private readonly onMessage = (raw: unknown): void => {
    const message = fields(raw);
    this.meet('kernel');
    if (message.type === 'now') {
      this.heard(number(message.server_now_ms));
      this.ticker.poke();
    } else if (message.type === 'result') {
      this.onAnswer(text(message.id), message);
    }
  };

  private readonly onPushed = (event: Event): void => {
    const detail: unknown = (event as CustomEvent<unknown>).detail;
    const snapshot = readSnapshot(detail);
    if (snapshot === null) {
      return;
    }
    this.heard(number(fields(detail).server_now_ms));
    this.apply(snapshot);
    this.company = 'page';
    this.ticker.poke();
  };

  /**
   * Ask the widget manager whether this model has a comm: the only sure way to tell "no kernel"
   * from "busy kernel", as sending without a comm is silent. Where it cannot be asked the company
   * stays unknown, which counts as a busy kernel.
   */
  private readonly onCommLive = (): void => {
    const ownId = text(this.model.get('own_id'));
    const manager = this.model.widget_manager;
    if (!ownId || !manager?.get_model) {
      return;
    }
    const found = Promise.resolve(manager.get_model(ownId));
    found.then(
      (raw) => {
        const live = fields(raw).comm_live;
        if (live === false && this.company !== 'page') {
          this.meet('nobody');
        } else if (live === true && this.company === 'nobody') {
          this.meet('unknown');
          this.hello();
        }
      },
      () => undefined,
    );
  };

  private clearGrace(): void {
    if (this.graceTimer !== null) {
      this.timers.clearTimeout(this.graceTimer);
      this.graceTimer = null;
    }
  }
}

/** The entry that anywidget calls for each view; answers the clean-up. */
export function render(context: RenderContext, surroundings?: Surroundings): () => void {
  const widget = new CountdownWidget(
    context,
    surroundings ?? {
      timers: browserTimers,
      wakeups: browserWakeups(),
      newId: () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`,
    },
  );
  return widget.dispose;
}

export default { render };
