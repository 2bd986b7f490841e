/** The time left in the status bar, or in the top bar where there is no status bar. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { Ticker, type Timers, type Wakeup } from './countdown/clock';
import { make, setAttributes, setText } from './countdown/dom';
import type { InstanceState } from './countdown/messages';
import { isCounting, type Reading, SOON_S, URGENT_S } from './countdown/phase';
import { label, moment, stamp, stopsIn, type Words, wordsFor } from './countdown/format';
import { failureText, readNow } from './text/status-text';
import type { IManager } from './tokens';

/** What a status item is made of. */
export interface StatusOptions {
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  readonly timers: Timers;
  readonly wakeups: readonly Wakeup[];
  readonly onClick: () => void;
}

/** A button with the time left, its colour and its word. */
export class StatusItem extends Widget {
  readonly #options: StatusOptions;
  readonly #mark = make('span', { class: 'ma-Status-mark', 'aria-hidden': 'true' });
  readonly #label = make('span', { class: 'ma-Status-label' });
  readonly #button = make('button', { type: 'button', class: 'ma-Status-button' }, [
    this.#mark,
    this.#label,
  ]);
  readonly #ticker: Ticker;

  constructor(options: StatusOptions) {
    super();
    this.#options = options;
    this.addClass('ma-Status');
    this.node.append(this.#button);
    this.#button.addEventListener('click', options.onClick);
    const { timers, wakeups, manager } = options;
    const evaluate = (): number | null => this.#evaluate();
    this.#ticker = new Ticker({ timers, wakeups, evaluate });
    manager.changed.connect(this.#onChanged, this);
    this.#onChanged();
  }

  /** Stop and go away. Calling it twice is fine. */
  override dispose(): void {
    if (!this.isDisposed) {
      this.#ticker.dispose();
      super.dispose(); // which also ends the listening to signals
    }
  }

  #onChanged(): void {
    this.#ticker.poke();
  }

  #evaluate(): number | null {
    const { manager } = this.#options;
    const state = manager.payload?.snapshot?.state;
    this.setHidden(!state && manager.failure?.code === 'absent');
    if (!state) {
      this.#showWhy(this.#why());
      return null;
    }
    const nowMs = manager.clock.now();
    const reading = readNow(state, nowMs);
    this.#showReading(state, reading, nowMs);
    return nextLook(state, reading, nowMs);
  }

  #why(): string {
    const { manager, trans } = this.#options;
    const { failure, payload } = manager;
    return payload?.problem?.message ?? (failure ? failureText(trans, failure) : '');
  }

  #showWhy(why: string): void {
    const { manager, trans } = this.#options;
    const shown = manager.payload?.readOnly ? trans.__('Set up ModelArts') : trans.__('No answer');
    this.#show('unknown', why ? shown : '…', why);
  }

  #showReading(state: InstanceState, reading: Reading, nowMs: number): void {
    const words = wordsFor('');
    const name = this.#options.trans.__('ModelArts %1', state.name);
    const { stops_at_ms: stopsAtMs } = state;
    const asOf = this.#asOf(words, nowMs);
    const show = (title: string, ...texts: [shown: string, said: string]): void => {
      const [shown, said] = texts.map((each) => [each, asOf].filter(Boolean).join(' · '));
      this.#show(reading.phase, shown ?? '', title, said);
    };
    if (stopsAtMs === null || !isCounting(reading.phase)) {
      const text = label(words, reading);
      show(name, text, text);
      return;
    }
    const minutes = Math.max(0, (reading.remainingS ?? 0) - left(reading));
    show(
      `${name} · ${words('stopsAt', { time: stamp(words, stopsAtMs) })}`,
      this.#countingText(words, { stopsAtMs, reading, nowMs }),
      stopsIn(words, stopsAtMs, minutes),
    );
  }

  /** Since when nobody has checked what is shown; empty while somebody does. */
  #asOf(words: Words, nowMs: number): string {
    const { payload, failure } = this.#options.manager;
    const old = payload?.readOnly === true || failure !== null;
    const time = moment(words, payload?.snapshot?.as_of_ms ?? 0, nowMs);
    return old ? words('asOf', { stamp: time }) : '';
  }

  #countingText(
    words: Words,
    { stopsAtMs, reading, nowMs }: { stopsAtMs: number; reading: Reading; nowMs: number },
  ): string {
    const { statusShows } = this.#options.manager.preferences;
    const timeLeft = label(words, reading);
    const time = words('stopsAt', { time: moment(words, stopsAtMs, nowMs) });
    const phase = reading.phase === 'calm' ? '' : words(reading.phase as 'soon' | 'urgent');
    const shown = { 'time-left': timeLeft, 'stop-time': time, both: `${timeLeft} · ${time}` };
    return [shown[statusShows], phase].filter(Boolean).join(' · ');
  }

  #show(phase: string, shown: string, title: string, said = shown): void {
    setText(this.#label, shown);
    setAttributes(this.node, { 'data-phase': phase });
    setAttributes(this.#button, { title, 'aria-label': `ModelArts: ${said}` });
  }
}

/** Seconds over the whole minute: what is said to a screen reader changes once a minute. */
function left({ remainingS }: Reading): number {
  return (remainingS ?? 0) % 60;
}

/** The milliseconds until the text is another one. */
function nextLook(state: InstanceState, reading: Reading, nowMs: number): number | null {
  const leftMs = (state.stops_at_ms ?? 0) - nowMs;
  if (reading.phase === 'stopping') {
    return Math.max(leftMs + 60_001, 1_000);
  }
  if (!isCounting(reading.phase)) {
    return null;
  }
  const step = (reading.remainingS ?? 0) > URGENT_S ? 60_000 : 1_000;
  const phases = [SOON_S, URGENT_S].map((s) => leftMs - (s + 1) * 1_000 + 1);
  return Math.min((leftMs % step) + 1, leftMs, ...phases.filter((ms) => ms > 0));
}
