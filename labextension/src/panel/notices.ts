/** What a person should know before anything else: what does not work, what was saved, how the last run ended. */

import { createElement } from '../countdown/elements';
import { formatDuration, formatTime, formatterFor } from '../countdown/format';
import { outcomeText, notSavedReason } from '../text/outcomes';
import { failureText } from '../text/status-text';
import type { LastRun, Payload, SaveReport } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows the notices that there are. */
export class NoticesSection implements PanelSection {
  readonly node = panelElement('div', 'notices');
  readonly #options: PanelSectionOptions;
  #shownText = '';
  #remindersError = '';

  constructor(options: PanelSectionOptions) {
    this.#options = options;
  }

  update(payload: Payload | null): void {
    const notices = [
      this.#failureNotice(payload),
      this.#problemNotice(payload),
      this.#mutedNotice(payload),
      this.#lastRunNotice(payload?.lastRun ?? null),
      this.#savedNotice(),
    ].filter((each) => each !== null);
    const text = notices.map((each) => each.textContent).join('\n');
    // Untouched when nothing is new, so that the focus stays on a button in it.
    if (text !== this.#shownText) {
      this.#shownText = text;
      this.node.replaceChildren(...notices);
    }
  }

  #failureNotice(payload: Payload | null): HTMLElement | null {
    const { manager, trans } = this.#options;
    if (manager.failure !== null) {
      const retry = panelButton(trans.__('Try again'), () => void manager.refresh(true));
      return createNotice('error', failureText(trans, manager.failure), retry);
    }
    const isLoading = !payload?.instance && !payload?.problem;
    return isLoading ? createNotice('info', trans.__('Looking for the instance…')) : null;
  }

  #problemNotice(payload: Payload | null): HTMLElement | null {
    const problem = payload?.problem;
    if (!problem) {
      return null;
    }
    const { manager, trans } = this.#options;
    const retry = panelButton(trans.__('Try again'), () => void manager.refresh(true));
    const hint = createElement('p', { class: 'ma-Panel-hint' }, [problem.hint]);
    return createNotice('error', problem.message, ...(problem.hint ? [hint] : []), retry);
  }

  #mutedNotice(payload: Payload | null): HTMLElement | null {
    if (!payload?.remindersMuted) {
      return null;
    }
    const { trans } = this.#options;
    const turnOnButton = panelButton(trans.__('Turn on'), () => void this.#turnOnReminders());
    const error = createElement('p', { class: 'ma-Panel-error' }, [this.#remindersError]);
    const more = this.#remindersError ? [error, turnOnButton] : [turnOnButton];
    return createNotice('info', trans.__('Reminders are off for this instance.'), ...more);
  }

  async #turnOnReminders(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    const outcome = await manager.muteReminders(false);
    this.#remindersError = outcome.result.ok
      ? ''
      : outcomeText(trans, { outcome, kind: 'save', manager });
    announce(this.#remindersError);
    this.update(manager.payload);
  }

  #lastRunNotice(run: LastRun | null): HTMLElement | null {
    if (run === null) {
      return null;
    }
    const { manager, trans } = this.#options;
    const dismissButton = panelButton(trans.__('Dismiss'), () => void manager.dismissLastRun());
    return createNotice(
      'info',
      this.#lastRunText(run),
      ...this.#saveReportLines(run),
      dismissButton,
    );
  }

  #lastRunText({ endedAtMs, durationS, reason }: LastRun): string {
    const { trans, manager } = this.#options;
    const format = formatterFor('');
    const time = endedAtMs === null ? '?' : formatTime(format, endedAtMs, manager.clock.now());
    const reasonText = reason === 'auto-stop' ? trans.__('auto-stop') : '';
    const duration = durationS === null ? '' : formatDuration(format, durationS);
    const more = [reasonText, duration].filter(Boolean).join(trans.__(', '));
    return more
      ? trans.__('Last run ended %1 (%2).', time, more)
      : trans.__('Last run ended %1.', time);
  }

  #savedNotice(): HTMLElement | null {
    const { manager, trans } = this.#options;
    const { savedBeforeStop } = manager;
    return savedBeforeStop === null
      ? null
      : createNotice(
          'info',
          trans.__('Before the stop:'),
          ...this.#saveReportLines(savedBeforeStop),
        );
  }

  #saveReportLines(report: SaveReport): HTMLElement[] {
    const { trans } = this.#options;
    const saved = report.saved.join(', ');
    const notSaved = report.notSaved
      .map((each) => `${each.path} (${notSavedReason(trans, each)})`)
      .join(', ');
    return [
      ...(saved ? [createElement('p', {}, [trans.__('Saved: %1', saved)])] : []),
      ...(notSaved
        ? [createElement('p', { class: 'ma-Panel-error' }, [trans.__('Not saved: %1', notSaved)])]
        : []),
    ];
  }
}

function createNotice(tone: string, text: string, ...more: HTMLElement[]): HTMLElement {
  return panelElement('div', 'notice', [createElement('p', {}, [text]), ...more], {
    'data-tone': tone,
  });
}
