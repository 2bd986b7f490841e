/** The countdown as elements. It shows what it is given, tells what was pressed, decides nothing. */

import type { Note, Route } from './actions';
import { make, setAttributes, setText } from './dom';
import { isCounting, type Reading, URGENT_S } from './phase';
import {
  clockTime,
  durationLabel,
  fill,
  label,
  moment,
  noteText,
  reasonText,
  stamp,
  type Words,
} from './words';

/** A click that waits for an answer. */
export interface Waiting {
  readonly route: Route;
  /** What does the same in a terminal; empty when that is not known. */
  readonly command: string;
  readonly askedMs: number;
}

/** Everything that is shown. */
export interface ViewState {
  readonly words: Words;
  /** The reading of `stopsAtMs` at `nowMs`. */
  readonly reading: Reading;
  readonly nowMs: number;
  readonly stopsAtMs: number | null;
  readonly runStartedAtMs: number | null;
  readonly durationS: number | null;
  readonly name: string;
  readonly api: string;
  readonly demo: boolean;
  /** A code of words.ts, or empty. */
  readonly unknownReason: string;
  /** Set when nobody is there to ask: what is shown was so at this time. */
  readonly asOfMs: number | null;
  /** Whether `nowMs` was checked against the server's clock. */
  readonly checked: boolean;
  readonly blockedPlus: string | null;
  readonly blockedMinus: string | null;
  readonly note: Note | null;
  readonly waiting: Waiting | null;
}

/** What a person can do. */
export interface ViewEvents {
  /** **+1 h**, **−1 h** or a typed duration, in seconds. */
  readonly onChange: (seconds: number) => void;
  /** A typed duration, as typed. */
  readonly onCustom: (typed: string) => void;
  readonly onCancel: () => void;
}

const HOUR_S = 3600;
const css = (name: string): Record<string, string> => ({ class: `ma-Countdown-${name}` });
const button = (does: string): HTMLButtonElement =>
  make('button', { type: 'button', 'data-do': does, ...css('button') });

/** The countdown's elements inside one element of the page. */
export class CountdownView {
  /** The outermost element, which the page's extension talks to. */
  readonly root: HTMLDivElement;
  private readonly events: ViewEvents;
  private readonly phase = make('span', css('phase'));
  private readonly name = make('span', css('name'));
  private readonly demo = make('span', css('demo'));
  private readonly figure = make('span', css('figure'));
  private readonly seconds = make('span', css('seconds'));
  private readonly unchecked = make('span', { role: 'img', ...css('unchecked') }, ['±']);
  private readonly timer = make('div', { role: 'timer', 'aria-live': 'off', ...css('timer') }, [
    this.figure,
    this.seconds,
    this.unchecked,
  ]);
  private readonly fill = make('div', css('fill'));
  private readonly bar = make(
    'div',
    { role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', ...css('bar') },
    [this.fill],
  );
  private readonly stop = make('time', css('stop'));
  private readonly reason = make('p', css('reason'));
  private readonly minus = button('minus');
  private readonly plus = button('plus');
  private readonly input = make('input', {
    type: 'text',
    size: '7',
    autocomplete: 'off',
    spellcheck: 'false',
    'data-lm-suppress-shortcuts': 'true',
    ...css('input'),
  });
  private readonly extend = make('button', { type: 'submit', ...css('button') });
  private readonly note = make('p', css('note'));
  private readonly waitText = make('p');
  private readonly command = make('code', { tabindex: '0', ...css('command') });
  private readonly copy = button('copy');
  private readonly cancel = button('cancel');
  private readonly waiting = make('div', css('waiting'), [
    this.waitText,
    this.command,
    make('div', css('row'), [this.copy, this.cancel]),
  ]);
  private readonly status = make('div', { role: 'status', 'aria-live': 'polite', ...css('status') });
  private noted: Note | null = null;
  private waited = false;

  constructor(parent: HTMLElement, events: ViewEvents) {
    this.events = events;
    this.root = make('div', { role: 'group', class: 'ma-Countdown' }, [
      make('div', css('head'), [this.phase, this.name, this.demo]),
      this.timer,
      this.bar,
      make('div', css('meta'), [this.stop]),
      this.reason,
      make('form', { novalidate: '', ...css('row') }, [
        this.minus,
        this.plus,
        make('span', css('custom'), [this.input, this.extend]),
      ]),
      this.note,
      this.waiting,
      this.status,
    ]);
    this.root.addEventListener('click', this.onClick);
    this.root.addEventListener('submit', this.onSubmit);
    parent.append(this.root);
  }

  /** Show this. Elements that already show it are not touched. */
  update(state: ViewState): void {
    const { words, reading } = state;
    const frozen = state.asOfMs !== null;
    setAttributes(this.root, {
      lang: words.locale,
      'aria-label': state.name ? `${words.ui.title} · ${state.name}` : words.ui.title,
      'data-phase': frozen ? 'unknown' : reading.phase,
      'data-counting': String(isCounting(reading.phase)),
    });
    setText(this.phase, frozen ? words.ui.notConnected : words.phases[reading.phase]);
    setText(this.name, state.name);
    setText(this.demo, state.demo ? words.ui.demo : '');
    this.showTime(state, frozen);
    this.showBar(state, frozen);
    this.showStop(state);
    this.showButtons(state);
    this.showWaiting(state);
    this.showNote(state);
  }

  /** Say this to a screen reader, once and politely. */
  announce(text: string): void {
    // A text equal to the last one would not be announced.
    const again = this.status.textContent === text;
    this.status.textContent = again ? `${text}\u00a0` : text;
  }

  /** Empty the field of the custom duration and take its error away. */
  acceptCustom(accepted: boolean): void {
    setAttributes(this.input, { 'aria-invalid': accepted ? null : 'true' });
    if (accepted) {
      this.input.value = '';
    }
  }

  /** Remove the elements and listeners. Calling it twice is fine. */
  dispose(): void {
    this.root.removeEventListener('click', this.onClick);
    this.root.removeEventListener('submit', this.onSubmit);
    this.root.remove();
  }

  private showTime(state: ViewState, frozen: boolean): void {
    const { words, reading } = state;
    const left = reading.remainingS ?? 0;
    const aside = isCounting(reading.phase) && left >= URGENT_S && !frozen;
    setAttributes(this.timer, { 'aria-label': words.ui.title });
    setText(this.figure, label(words, reading));
    setText(this.seconds, aside ? `${String(left % 60).padStart(2, '0')} ${words.units[2]}` : '');
    this.unchecked.hidden = state.checked || frozen || !isCounting(reading.phase);
    setAttributes(this.unchecked, { 'aria-label': words.ui.unchecked, title: words.ui.unchecked });
  }

  private showBar(state: ViewState, frozen: boolean): void {
    const { runStartedAtMs: start, stopsAtMs: end, reading, words } = state;
    const known = start !== null && end !== null && end > start && isCounting(reading.phase);
    this.bar.hidden = !known || frozen;
    if (!known) {
      return;
    }
    const used = Math.min(Math.max((state.nowMs - start) / (end - start), 0), 1) * 100;
    setAttributes(this.bar, { 'aria-label': words.ui.used, 'aria-valuenow': used.toFixed(0) });
    setAttributes(this.fill, { style: `width:${used.toFixed(1)}%` });
  }

  private showStop(state: ViewState): void {
    const { words, stopsAtMs, asOfMs, durationS } = state;
    const { ui } = words;
    const relevant = stopsAtMs !== null && (isCounting(state.reading.phase) || asOfMs !== null);
    const lines = asOfMs === null ? [] : [fill(ui.asOf, { stamp: stamp(asOfMs) })];
    if (relevant && asOfMs !== null) {
      lines.push(fill(ui.wasToStop, { stamp: stamp(stopsAtMs) }));
    } else if (relevant) {
      lines.push(fill(ui.stopsAt, { time: moment(words, stopsAtMs, state.nowMs) }));
    }
    setText(this.stop, lines.join(' · '));
    if (relevant) {
      const why =
        durationS === null
          ? ui.reasonPlain
          : fill(ui.reason, { duration: durationLabel(words, durationS) });
      const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
      const title = [stamp(stopsAtMs), zone, why, state.api].filter(Boolean).join(' · ');
      setAttributes(this.stop, { title, datetime: new Date(stopsAtMs).toISOString() });
    }
  }

  private showButtons(state: ViewState): void {
    const { words, blockedPlus, blockedMinus } = state;
    const { ui } = words;
    const why = (code: string | null): string =>
      code === null ? '' : reasonText(words, code) ?? reasonText(words, 'unknown') ?? '';
    const block = (element: HTMLElement, code: string | null, name: string): void => {
      setAttributes(element, {
        'aria-disabled': code === null ? null : 'true',
        title: [name, why(code)].filter(Boolean).join(' · '),
      });
    };
    setText(this.plus, ui.plus);
    setText(this.minus, ui.minus);
    setText(this.extend, ui.extend);
    setAttributes(this.plus, { 'aria-label': `${ui.plus}: ${ui.plusName}` });
    setAttributes(this.minus, { 'aria-label': `${ui.minus}: ${ui.minusName}` });
    setAttributes(this.input, { 'aria-label': ui.custom, placeholder: ui.customHint });
    block(this.plus, blockedPlus, ui.plusName);
    block(this.minus, blockedMinus, ui.minusName);
    const both = blockedPlus !== null && blockedMinus !== null;
    block(this.extend, both ? blockedPlus : null, ui.extend);
    const unknown = state.unknownReason && reasonText(words, state.unknownReason);
    setText(this.reason, state.waiting || !both ? '' : unknown || why(blockedPlus));
  }

  private showWaiting({ words, waiting }: ViewState): void {
    const { ui } = words;
    this.waiting.hidden = waiting === null;
    if (waiting === null) {
      this.waited = false;
      return;
    }
    const { command } = waiting;
    const busy = command ? ui.busy : ui.busyNoCommand;
    const asked = fill(ui.asked, { time: clockTime(waiting.askedMs) });
    const sentence = waiting.route === 'page' ? ui.busyPage : busy;
    setText(this.waitText, waiting.route === 'page' || !command ? `${sentence} ${asked}` : sentence);
    setText(this.command, waiting.route === 'page' ? '' : command);
    setText(this.cancel, ui.cancel);
    if (!this.waited) {
      this.waited = true;
      setText(this.copy, ui.copy);
      this.announce(this.waitText.textContent ?? '');
    }
    this.copy.hidden = this.command.hidden;
    setAttributes(this.copy, { 'data-done': ui.copied });
  }

  private showNote({ words, note, nowMs, reading }: ViewState): void {
    const text = note === null ? '' : noteText(words, note, nowMs, reading.remainingS);
    setText(this.note, text);
    setAttributes(this.note, { 'data-tone': note?.tone ?? null });
    if (note !== this.noted && note !== null) {
      this.announce(text);
    }
    this.noted = note;
  }

  private readonly onClick = (event: Event): void => {
    const target = event.target as Element;
    switch (target.closest('[data-do]')?.getAttribute('data-do')) {
      case 'plus':
        this.events.onChange(HOUR_S);
        break;
      case 'minus':
        this.events.onChange(-HOUR_S);
        break;
      case 'copy':
        void this.copyCommand();
        break;
      case 'cancel':
        // The pressed button is about to go away, and the focus must not go with it.
        this.plus.focus();
        this.events.onCancel();
        break;
    }
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    this.events.onCustom(this.input.value);
  };

  private async copyCommand(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.command.textContent ?? '');
      this.copy.textContent = this.copy.getAttribute('data-done');
    } catch {
      // No right to the clipboard: select the line, so that the keys for copying do it.
      getSelection()?.selectAllChildren(this.command);
    }
  }
}
