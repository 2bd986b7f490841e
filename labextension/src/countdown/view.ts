/** The countdown as elements. It shows what it is given, tells what was pressed, decides nothing. */

import type { Note, Route } from './actions';
import { make, setAttributes, setText } from './dom';
import type { Snapshot } from './messages';
import { isCounting, type Reading, URGENT_S } from './phase';
import { durationLabel, label, moment, noteText, reasonText, stamp, type Words } from './format';

/** A click that waits for an answer. */
export interface Waiting {
  readonly route: Route;
  /** What does the same in a terminal; empty when that is not known. */
  readonly command: string;
}

/** Everything that is shown. */
export interface ViewState {
  readonly words: Words;
  readonly snapshot: Snapshot;
  /** The stop time to show, which may be one just asked for. */
  readonly stopsAtMs: number | null;
  /** The server's time now; when frozen, the time of the snapshot. */
  readonly nowMs: number;
  /** The reading of `stopsAtMs` at `nowMs`. */
  readonly reading: Reading;
  /** Nobody is there to ask: everything is as of `nowMs`. */
  readonly frozen: boolean;
  /** Whether `nowMs` was checked against the server's clock. */
  readonly checked: boolean;
  readonly blockedPlus: string | null;
  readonly blockedMinus: string | null;
  readonly note: Note | null;
  readonly waiting: Waiting | null;
}

/** What a person can do. */
export interface ViewEvents {
  /** **+1 h** or **−1 h**, in seconds. */
  readonly onChange: (seconds: number) => void;
  /** A duration, as typed. */
  readonly onCustom: (typed: string) => void;
  readonly onCancel: () => void;
}

const HOUR_S = 3600;
const css = (name: string): Record<string, string> => ({ class: `ma-Countdown-${name}` });
const part = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  attributes: Record<string, string> = {},
  children: (Node | string)[] = [],
): HTMLElementTagNameMap[K] => make(tag, { ...css(name), ...attributes }, children);
const button = (does: string): HTMLButtonElement =>
  part('button', 'button', { type: 'button', 'data-do': does });

/** The countdown's elements inside one element of the page. */
export class CountdownView {
  /** The outermost element, which the page's extension talks to. */
  readonly root: HTMLDivElement;
  readonly #events: ViewEvents;
  readonly #phase = part('span', 'phase');
  readonly #name = part('span', 'name');
  readonly #demo = part('span', 'demo');
  readonly #figure = part('span', 'figure');
  readonly #seconds = part('span', 'seconds');
  readonly #unchecked = part('span', 'unchecked', { role: 'img' }, ['±']);
  readonly #timer = part('div', 'timer', { role: 'timer', 'aria-live': 'off' }, [
    this.#figure,
    this.#seconds,
    this.#unchecked,
  ]);
  readonly #fill = part('div', 'fill');
  readonly #bar = part('div', 'bar', {}, [this.#fill]);
  readonly #stop = part('time', 'stop');
  readonly #reason = part('p', 'reason');
  readonly #minus = button('minus');
  readonly #plus = button('plus');
  readonly #input = part('input', 'input', {
    placeholder: '2h30m',
    'data-lm-suppress-shortcuts': 'true',
  });
  readonly #extend = button('extend');
  readonly #note = part('p', 'note');
  readonly #waitText = make('p');
  readonly #command = part('code', 'command', { tabindex: '0' });
  readonly #copy = button('copy');
  readonly #cancel = button('cancel');
  readonly #waiting = part('div', 'waiting', {}, [
    this.#waitText,
    this.#command,
    part('div', 'row', {}, [this.#copy, this.#cancel]),
  ]);
  readonly #status = part('div', 'status', { role: 'status' });
  #noted: Note | null = null;

  constructor(parent: HTMLElement, events: ViewEvents) {
    this.#events = events;
    this.root = make('div', { role: 'group', class: 'ma-Countdown' }, [
      part('div', 'head', {}, [this.#phase, this.#name, this.#demo]),
      this.#timer,
      this.#bar,
      this.#stop,
      this.#reason,
      part('div', 'row', {}, [
        this.#minus,
        this.#plus,
        part('span', 'custom', {}, [this.#input, this.#extend]),
      ]),
      this.#note,
      this.#waiting,
      this.#status,
    ]);
    this.root.addEventListener('click', this.#onClick);
    this.root.addEventListener('keydown', this.#onKey);
    parent.append(this.root);
  }

  /** Show this. Elements that already show it are not touched. */
  update(state: ViewState): void {
    const { words, reading, frozen } = state;
    const { id, name, demo } = state.snapshot.state;
    const counting = isCounting(reading.phase);
    setAttributes(this.root, {
      lang: words('locale'),
      'aria-label': words('title'),
      'data-instance': id,
      'data-phase': frozen ? 'frozen' : reading.phase,
    });
    const phase = isCounting(reading.phase) ? words(reading.phase) : '';
    setText(this.#phase, frozen ? words('notConnected') : phase);
    setText(this.#name, name);
    setText(this.#demo, demo ? words('demo') : '');
    this.#showTime(state, counting);
    this.#showBar(state, counting);
    this.#showStop(state, counting);
    this.#showButtons(state);
    this.#showReason(state);
    this.#showWaiting(state);
    this.#showNote(state);
  }

  /** Say this to a screen reader, once and politely. */
  announce(text: string): void {
    // A text equal to the last one would not be announced.
    this.#status.textContent = this.#status.textContent === text ? `${text}\u00a0` : text;
  }

  /** Empty the field of the custom duration, or mark what is in it as wrong. */
  acceptCustom(accepted: boolean): void {
    setAttributes(this.#input, { 'aria-invalid': accepted ? null : 'true' });
    if (accepted) {
      this.#input.value = '';
    }
  }

  /** Remove the elements and listeners. Calling it twice is fine. */
  dispose(): void {
    this.root.removeEventListener('click', this.#onClick);
    this.root.removeEventListener('keydown', this.#onKey);
    this.root.remove();
  }

  #showTime({ words, reading, frozen, checked }: ViewState, counting: boolean): void {
    const left = reading.remainingS ?? 0;
    const aside = counting && left >= URGENT_S && !frozen;
    setAttributes(this.#timer, { 'aria-label': words('title') });
    setText(this.#figure, label(words, reading));
    setText(this.#seconds, aside ? words('s', { n: String(left % 60).padStart(2, '0') }) : '');
    this.#unchecked.hidden = checked || frozen || !counting;
    setAttributes(this.#unchecked, { title: words('unchecked') });
  }

  #showBar({ snapshot, stopsAtMs, nowMs, frozen }: ViewState, counting: boolean): void {
    const start = snapshot.state.run_started_at_ms;
    this.#bar.hidden = !counting || frozen || start === null;
    if (start !== null && stopsAtMs !== null) {
      const used = Math.max((nowMs - start) / (stopsAtMs - start), 0) * 100;
      setAttributes(this.#fill, { style: `width:${used.toFixed(1)}%` });
    }
  }

  #showStop({ words, stopsAtMs, nowMs, frozen, snapshot }: ViewState, counting: boolean): void {
    const asOf = words('asOf', { stamp: stamp(words, nowMs) });
    if (stopsAtMs === null || !counting) {
      setText(this.#stop, frozen ? asOf : '');
      return;
    }
    const stop = stamp(words, stopsAtMs);
    const time = frozen ? stop : moment(words, stopsAtMs, nowMs);
    setText(this.#stop, words('stopsAt', { time }) + (frozen ? ` · ${asOf}` : ''));
    const { duration_s: durationS, api } = snapshot.state;
    const duration = durationS !== null && durationLabel(words, durationS);
    const why = duration && words('reason', { duration });
    setAttributes(this.#stop, { title: [stop, why, api].filter(Boolean).join(' · ') });
  }

  #showButtons({ words, blockedPlus, blockedMinus }: ViewState): void {
    const show = (element: HTMLElement, text: string, name: string, code: string | null): void => {
      setText(element, text);
      setAttributes(element, {
        'aria-label': name === text ? text : `${text}: ${name}`,
        'aria-disabled': code === null ? null : 'true',
        title: code === null ? name : reasonText(words, code),
      });
    };
    show(this.#plus, words('plus'), words('plusName'), blockedPlus);
    show(this.#minus, words('minus'), words('minusName'), blockedMinus);
    // A typed duration goes both ways, so one way is enough to keep it.
    show(this.#extend, words('extend'), words('extend'), blockedPlus && blockedMinus);
    setAttributes(this.#input, { 'aria-label': words('custom') });
  }

  #showReason({ words, blockedPlus, blockedMinus, waiting, snapshot }: ViewState): void {
    const shown = blockedPlus !== null && blockedPlus === blockedMinus && waiting === null;
    const code = (blockedPlus === 'unknown' && snapshot.state.unknown_reason) || blockedPlus;
    const text = reasonText(words, code ?? '');
    setText(this.#reason, shown && text !== this.#figure.textContent ? text : '');
  }

  #showWaiting({ words, waiting }: ViewState): void {
    const appears = this.#waiting.hidden && waiting !== null;
    this.#waiting.hidden = waiting === null;
    if (waiting === null) {
      return;
    }
    const { route, command } = waiting;
    const wait = words(route === 'kernel' ? 'click-waits' : 'slow');
    setText(this.#waitText, wait + (command ? words('terminal') : ''));
    setText(this.#command, command);
    setText(this.#cancel, words('cancel'));
    if (appears) {
      setText(this.#copy, words('copy'));
      this.#copy.hidden = !command;
      this.announce(this.#waitText.textContent ?? '');
    }
  }

  #noteText({ words, note, nowMs, reading, snapshot }: ViewState): string {
    // What was saved may have been overtaken.
    const durationS = snapshot.state.duration_s ?? note?.durationS ?? null;
    return note ? noteText(words, { ...note, durationS }, nowMs, reading.remainingS) : '';
  }

  #showNote(state: ViewState): void {
    const { note } = state;
    const text = this.#noteText(state);
    // Pressed although it is blocked: the reason is there already, saying it once is enough.
    const twice = text === this.#reason.textContent || text === this.#figure.textContent;
    setText(this.#note, twice ? '' : text);
    setAttributes(this.#note, { 'data-tone': note?.tone ?? null });
    if (note !== this.#noted) {
      this.announce(text);
    }
    this.#noted = note;
  }

  readonly #onClick = (event: Event): void => {
    const pressed = (event.target as Element).closest<HTMLElement>('[data-do]')?.dataset['do'];
    if (pressed === 'plus' || pressed === 'minus') {
      this.#events.onChange(pressed === 'plus' ? HOUR_S : -HOUR_S);
    } else if (pressed === 'extend') {
      this.#events.onCustom(this.#input.value);
    } else if (pressed === 'copy') {
      void this.#copyCommand();
    } else if (pressed === 'cancel') {
      // The pressed button is about to go away, and the focus must not go with it.
      this.#plus.focus();
      this.#events.onCancel();
    }
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    // No form: JupyterLab takes from Enter, inside a cell, what it does by default.
    if (event.key === 'Enter' && event.target === this.#input && !event.isComposing) {
      event.preventDefault();
      this.#extend.click();
    }
  };

  async #copyCommand(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#command.textContent ?? '');
      this.#copy.textContent = String(this.#copy.textContent).replace(/^(✓ )?/, '✓ ');
    } catch {
      // No right to the clipboard: select the line, so that the keys for copying do it.
      getSelection()?.selectAllChildren(this.#command);
    }
  }
}
