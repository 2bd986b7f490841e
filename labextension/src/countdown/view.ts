/** The countdown as elements. It shows what it is given, tells what was pressed, decides nothing. */

import type { Feedback, Recipient } from './actions';
import { createElement, setAttributes, setText } from './elements';
import type { Snapshot } from './messages';
import { isCounting, type PhaseResult, URGENT_S } from './phase';
import {
  formatDuration,
  formatPhase,
  formatTime,
  feedbackText,
  reasonText,
  formatTimestamp,
  type Formatter,
} from './format';

/** A click that waits for an answer. */
export interface DelayedRequest {
  readonly recipient: Recipient;
  /** What does the same in a terminal; empty when that is not known. */
  readonly command: string;
}

/** Everything that is shown. */
export interface ViewState {
  readonly format: Formatter;
  readonly snapshot: Snapshot;
  /** The stop time to show, which may be one just asked for. */
  readonly stopsAtMs: number | null;
  /** The server's time now; when frozen, the time of the snapshot. */
  readonly nowMs: number;
  /** The reading of `stopsAtMs` at `nowMs`. */
  readonly phaseResult: PhaseResult;
  /** Nobody is there to ask: everything is as of `nowMs`. */
  readonly isDisconnected: boolean;
  /** Whether `nowMs` was checked against the server's clock. */
  readonly isSynced: boolean;
  readonly extendBlockedReason: string | null;
  readonly shortenBlockedReason: string | null;
  readonly feedback: Feedback | null;
  readonly delayedRequest: DelayedRequest | null;
}

/** What a person can do. */
export interface ViewEvents {
  /** **+1 h** or **−1 h**, in seconds. */
  readonly onStep: (seconds: number) => void;
  /** A duration, as typed. */
  readonly onCustomDuration: (input: string) => void;
  readonly onCancel: () => void;
}

const HOUR_S = 3600;
const cssClass = (name: string): Record<string, string> => ({ class: `ma-Countdown-${name}` });
const countdownElement = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  attributes: Record<string, string> = {},
  children: (Node | string)[] = [],
): HTMLElementTagNameMap[K] => createElement(tag, { ...cssClass(name), ...attributes }, children);
const actionButton = (action: string): HTMLButtonElement =>
  countdownElement('button', 'button', { type: 'button', 'data-action': action });

/** The countdown's elements inside one element of the page. */
export class CountdownView {
  /** The outermost element, which the page's extension talks to. */
  readonly root: HTMLDivElement;
  readonly #events: ViewEvents;
  readonly #phase = countdownElement('span', 'phase');
  readonly #name = countdownElement('span', 'name');
  readonly #demo = countdownElement('span', 'demo');
  readonly #timeLeft = countdownElement('span', 'timeLeft');
  readonly #seconds = countdownElement('span', 'seconds');
  readonly #unsyncedMark = countdownElement('span', 'unsynced', { role: 'img' }, ['±']);
  readonly #timer = countdownElement('div', 'timer', { role: 'timer', 'aria-live': 'off' }, [
    this.#timeLeft,
    this.#seconds,
    this.#unsyncedMark,
  ]);
  readonly #barFill = countdownElement('div', 'barFill');
  readonly #bar = countdownElement('div', 'bar', {}, [this.#barFill]);
  readonly #stopTime = countdownElement('time', 'stopTime');
  readonly #reason = countdownElement('p', 'reason');
  readonly #shortenButton = actionButton('shorten');
  readonly #extendButton = actionButton('extend');
  readonly #durationInput = countdownElement('input', 'input', {
    placeholder: '2h30m',
    'data-lm-suppress-shortcuts': 'true',
  });
  readonly #customButton = actionButton('extend-custom');
  readonly #feedback = countdownElement('p', 'feedback');
  readonly #delayText = createElement('p');
  readonly #command = countdownElement('code', 'command', { tabindex: '0' });
  readonly #copyButton = actionButton('copy');
  readonly #cancelButton = actionButton('cancel');
  readonly #delayedRequest = countdownElement('div', 'delayedRequest', {}, [
    this.#delayText,
    this.#command,
    countdownElement('div', 'row', {}, [this.#copyButton, this.#cancelButton]),
  ]);
  readonly #liveRegion = countdownElement('div', 'liveRegion', { role: 'status' });
  #announcedFeedback: Feedback | null = null;

  constructor(parent: HTMLElement, events: ViewEvents) {
    this.#events = events;
    this.root = createElement('div', { role: 'group', class: 'ma-Countdown' }, [
      countdownElement('div', 'head', {}, [this.#phase, this.#name, this.#demo]),
      this.#timer,
      this.#bar,
      this.#stopTime,
      this.#reason,
      countdownElement('div', 'row', {}, [
        this.#shortenButton,
        this.#extendButton,
        countdownElement('span', 'customDuration', {}, [this.#durationInput, this.#customButton]),
      ]),
      this.#feedback,
      this.#delayedRequest,
      this.#liveRegion,
    ]);
    this.root.addEventListener('click', this.#onClick);
    this.root.addEventListener('keydown', this.#onKey);
    parent.append(this.root);
  }

  /** Show this. Elements that already show it are not touched. */
  update(state: ViewState): void {
    const { format, phaseResult, isDisconnected } = state;
    const { id, name, demo } = state.snapshot.state;
    const counting = isCounting(phaseResult.phase);
    setAttributes(this.root, {
      lang: format('locale'),
      'aria-label': format('title'),
      'data-instance': id,
      'data-phase': isDisconnected ? 'disconnected' : phaseResult.phase,
    });
    const phase = isCounting(phaseResult.phase) ? format(phaseResult.phase) : '';
    setText(this.#phase, isDisconnected ? format('notConnected') : phase);
    setText(this.#name, name);
    setText(this.#demo, demo ? format('demo') : '');
    this.#renderTime(state, counting);
    this.#renderBar(state, counting);
    this.#renderStopTime(state, counting);
    this.#renderButtons(state);
    this.#renderReason(state);
    this.#renderDelayedRequest(state);
    this.#renderFeedback(state);
  }

  /** Say this to a screen reader, once and politely. */
  announce(text: string): void {
    // A text equal to the last one would not be announced.
    this.#liveRegion.textContent = this.#liveRegion.textContent === text ? `${text}\u00a0` : text;
  }

  /** Empty the field of the custom duration, or mark what is in it as wrong. */
  setDurationValidity(isValid: boolean): void {
    setAttributes(this.#durationInput, { 'aria-invalid': isValid ? null : 'true' });
    if (isValid) {
      this.#durationInput.value = '';
    }
  }

  /** Remove the elements and listeners. Calling it twice is fine. */
  dispose(): void {
    this.root.removeEventListener('click', this.#onClick);
    this.root.removeEventListener('keydown', this.#onKey);
    this.root.remove();
  }

  #renderTime(
    { format, phaseResult, isDisconnected, isSynced }: ViewState,
    counting: boolean,
  ): void {
    const remainingS = phaseResult.remainingS ?? 0;
    const secondsShownApart = counting && remainingS >= URGENT_S && !isDisconnected;
    setAttributes(this.#timer, { 'aria-label': format('title') });
    setText(this.#timeLeft, formatPhase(format, phaseResult));
    setText(
      this.#seconds,
      secondsShownApart ? format('s', { n: String(remainingS % 60).padStart(2, '0') }) : '',
    );
    this.#unsyncedMark.hidden = isSynced || isDisconnected || !counting;
    setAttributes(this.#unsyncedMark, { title: format('unsynced') });
  }

  #renderBar({ snapshot, stopsAtMs, nowMs, isDisconnected }: ViewState, counting: boolean): void {
    const start = snapshot.state.run_started_at_ms;
    this.#bar.hidden = !counting || isDisconnected || start === null;
    if (start !== null && stopsAtMs !== null) {
      const used = Math.max((nowMs - start) / (stopsAtMs - start), 0) * 100;
      setAttributes(this.#barFill, { style: `width:${used.toFixed(1)}%` });
    }
  }

  #renderStopTime(
    { format, stopsAtMs, nowMs, isDisconnected, snapshot }: ViewState,
    counting: boolean,
  ): void {
    const asOf = format('asOf', { timestamp: formatTimestamp(format, nowMs) });
    if (stopsAtMs === null || !counting) {
      setText(this.#stopTime, isDisconnected ? asOf : '');
      return;
    }
    const stop = formatTimestamp(format, stopsAtMs);
    const time = isDisconnected ? stop : formatTime(format, stopsAtMs, nowMs);
    setText(this.#stopTime, format('stopsAt', { time }) + (isDisconnected ? ` · ${asOf}` : ''));
    const { duration_s: durationS, api } = snapshot.state;
    const duration = durationS !== null && formatDuration(format, durationS);
    const reason = duration && format('reason', { duration });
    setAttributes(this.#stopTime, { title: [stop, reason, api].filter(Boolean).join(' · ') });
  }

  #renderButtons({ format, extendBlockedReason, shortenBlockedReason }: ViewState): void {
    const renderButton = (
      element: HTMLElement,
      text: string,
      name: string,
      code: string | null,
    ): void => {
      setText(element, text);
      setAttributes(element, {
        'aria-label': name === text ? text : `${text}: ${name}`,
        'aria-disabled': code === null ? null : 'true',
        title: code === null ? name : reasonText(format, code),
      });
    };
    renderButton(
      this.#extendButton,
      format('extendButton'),
      format('extendName'),
      extendBlockedReason,
    );
    renderButton(
      this.#shortenButton,
      format('shortenButton'),
      format('shortenName'),
      shortenBlockedReason,
    );
    // A typed duration goes both ways, so one way is enough to keep it.
    renderButton(
      this.#customButton,
      format('extend'),
      format('extend'),
      extendBlockedReason && shortenBlockedReason,
    );
    setAttributes(this.#durationInput, { 'aria-label': format('durationInput') });
  }

  #renderReason({
    format,
    extendBlockedReason,
    shortenBlockedReason,
    delayedRequest,
    snapshot,
  }: ViewState): void {
    const shown =
      extendBlockedReason !== null &&
      extendBlockedReason === shortenBlockedReason &&
      delayedRequest === null;
    const code =
      (extendBlockedReason === 'unknown' && snapshot.state.unknown_reason) || extendBlockedReason;
    const text = reasonText(format, code ?? '');
    setText(this.#reason, shown && text !== this.#timeLeft.textContent ? text : '');
  }

  #renderDelayedRequest({ format, delayedRequest }: ViewState): void {
    const appears = this.#delayedRequest.hidden && delayedRequest !== null;
    this.#delayedRequest.hidden = delayedRequest === null;
    if (delayedRequest === null) {
      return;
    }
    const { recipient, command } = delayedRequest;
    const delayText = format(recipient === 'kernel' ? 'kernel-busy' : 'noResponseYet');
    setText(this.#delayText, delayText + (command ? format('terminal') : ''));
    setText(this.#command, command);
    setText(this.#cancelButton, format('cancel'));
    if (appears) {
      setText(this.#copyButton, format('copy'));
      this.#copyButton.hidden = !command;
      this.announce(this.#delayText.textContent ?? '');
    }
  }

  #feedbackText({ format, feedback, nowMs, phaseResult, snapshot }: ViewState): string {
    // What was saved may have been overtaken.
    const durationS = snapshot.state.duration_s ?? feedback?.durationS ?? null;
    return feedback
      ? feedbackText(format, { ...feedback, durationS }, nowMs, phaseResult.remainingS)
      : '';
  }

  #renderFeedback(state: ViewState): void {
    const { feedback } = state;
    const text = this.#feedbackText(state);
    // Pressed although it is blocked: the reason is there already, saying it once is enough.
    const isShownElsewhere =
      text === this.#reason.textContent || text === this.#timeLeft.textContent;
    setText(this.#feedback, isShownElsewhere ? '' : text);
    setAttributes(this.#feedback, { 'data-tone': feedback?.tone ?? null });
    if (feedback !== this.#announcedFeedback) {
      this.announce(text);
    }
    this.#announcedFeedback = feedback;
  }

  readonly #onClick = (event: Event): void => {
    const pressed = (event.target as Element).closest<HTMLElement>('[data-action]')?.dataset[
      'action'
    ];
    if (pressed === 'extend' || pressed === 'shorten') {
      this.#events.onStep(pressed === 'extend' ? HOUR_S : -HOUR_S);
    } else if (pressed === 'extend-custom') {
      this.#events.onCustomDuration(this.#durationInput.value);
    } else if (pressed === 'copy') {
      void this.#copyCommand();
    } else if (pressed === 'cancel') {
      // The pressed button is about to go away, and the focus must not go with it.
      this.#extendButton.focus();
      this.#events.onCancel();
    }
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    // No form: JupyterLab takes from Enter, inside a cell, what it does by default.
    if (event.key === 'Enter' && event.target === this.#durationInput && !event.isComposing) {
      event.preventDefault();
      this.#customButton.click();
    }
  };

  async #copyCommand(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#command.textContent ?? '');
      this.#copyButton.textContent = String(this.#copyButton.textContent).replace(/^(✓ )?/, '✓ ');
    } catch {
      // No right to the clipboard: select the line, so that the keys for copying do it.
      getSelection()?.selectAllChildren(this.#command);
    }
  }
}
