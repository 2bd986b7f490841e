/** What a person should know before anything else: what does not work, what was saved, how the last run ended. */

import { make } from '../countdown/dom';
import { durationLabel, moment, wordsFor } from '../countdown/format';
import { outcomeText, whyNotSaved } from '../text/outcomes';
import { failureText } from '../text/status-text';
import type { LastRun, Payload, SavedReport } from '../tokens';
import { button, part, type Section, type SectionOptions } from './parts';

/** Shows the notices that there are. */
export class NoticesSection implements Section {
  readonly node = part('div', 'notices');
  readonly #options: SectionOptions;
  #shown = '';
  #wrong = '';

  constructor(options: SectionOptions) {
    this.#options = options;
  }

  update(payload: Payload | null): void {
    const notices = [
      this.#failure(payload),
      this.#problem(payload),
      this.#muted(payload),
      this.#lastRun(payload?.lastRun ?? null),
      this.#saved(),
    ].filter((each) => each !== null);
    const words = notices.map((each) => each.textContent).join('\n');
    // Untouched when nothing is new, so that the focus stays on a button in it.
    if (words !== this.#shown) {
      this.#shown = words;
      this.node.replaceChildren(...notices);
    }
  }

  #failure(payload: Payload | null): HTMLElement | null {
    const { manager, trans } = this.#options;
    if (manager.failure !== null) {
      const retry = button(trans.__('Try again'), () => void manager.refresh(true));
      return notice('bad', failureText(trans, manager.failure), retry);
    }
    const nothing = !payload?.instance && !payload?.problem;
    return nothing ? notice('info', trans.__('Looking for the instance…')) : null;
  }

  #problem(payload: Payload | null): HTMLElement | null {
    const problem = payload?.problem;
    if (!problem) {
      return null;
    }
    const { manager, trans } = this.#options;
    const retry = button(trans.__('Try again'), () => void manager.refresh(true));
    const hint = make('p', { class: 'ma-Panel-hint' }, [problem.hint]);
    return notice('bad', problem.message, ...(problem.hint ? [hint] : []), retry);
  }

  #muted(payload: Payload | null): HTMLElement | null {
    if (!payload?.muted) {
      return null;
    }
    const { trans } = this.#options;
    const on = button(trans.__('Turn on'), () => void this.#remind());
    const wrong = make('p', { class: 'ma-Panel-wrong' }, [this.#wrong]);
    const more = this.#wrong ? [wrong, on] : [on];
    return notice('info', trans.__('Reminders are off for this instance.'), ...more);
  }

  async #remind(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    const outcome = await manager.mute(false);
    this.#wrong = outcome.answer.ok ? '' : outcomeText(trans, { outcome, verb: 'save', manager });
    announce(this.#wrong);
    this.update(manager.payload);
  }

  #lastRun(run: LastRun | null): HTMLElement | null {
    if (run === null) {
      return null;
    }
    const { manager, trans } = this.#options;
    const seen = button(trans.__('Dismiss'), () => void manager.acknowledge());
    return notice('info', this.#endOf(run), ...this.#reportLines(run), seen);
  }

  #endOf({ endedAtMs, durationS, reason }: LastRun): string {
    const { trans, manager } = this.#options;
    const words = wordsFor('');
    const time = endedAtMs === null ? '?' : moment(words, endedAtMs, manager.clock.now());
    const why = reason === 'auto-stop' ? trans.__('auto-stop') : '';
    const span = durationS === null ? '' : durationLabel(words, durationS);
    const more = [why, span].filter(Boolean).join(trans.__(', '));
    return more
      ? trans.__('Last run ended %1 (%2).', time, more)
      : trans.__('Last run ended %1.', time);
  }

  #saved(): HTMLElement | null {
    const { manager, trans } = this.#options;
    const { saved } = manager;
    return saved === null
      ? null
      : notice('info', trans.__('Before the stop:'), ...this.#reportLines(saved));
  }

  #reportLines(report: SavedReport): HTMLElement[] {
    const { trans } = this.#options;
    const saved = report.saved.join(', ');
    const not = report.notSaved
      .map((each) => `${each.path} (${whyNotSaved(trans, each)})`)
      .join(', ');
    return [
      ...(saved ? [make('p', {}, [trans.__('Saved: %1', saved)])] : []),
      ...(not ? [make('p', { class: 'ma-Panel-wrong' }, [trans.__('Not saved: %1', not)])] : []),
    ];
  }
}

function notice(tone: string, words: string, ...more: HTMLElement[]): HTMLElement {
  return part('div', 'notice', [make('p', {}, [words]), ...more], { 'data-tone': tone });
}
