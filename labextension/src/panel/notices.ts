/** The notices at the top of the panel: errors, the last run, and saved documents. */

import { createElement } from '../countdown/elements';
import { lastRunText } from '../text/last-run-text';
import { outcomeText } from '../text/outcomes';
import { listText, notSavedText, presumedStopText } from '../text/save-text';
import { failureText } from '../text/status-text';
import type { LastRun, Payload, SaveReport } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows the current notices. */
export class NoticesSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('div', 'notices');
  readonly #options: PanelSectionOptions;
  #shownText = '';
  #remindersError = '';

  constructor(options: PanelSectionOptions) {
    this.#options = options;
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const notices = [
      this.#stopNotice() ?? this.#failureNotice(payload),
      this.#problemNotice(payload),
      ...(payload?.notices ?? []).map((text) => createNotice('warning', text)),
      this.#mutedNotice(payload),
      this.#lastRunNotice(payload?.lastRun ?? null),
      this.#savedNotice(),
    ].filter((each) => each !== null);
    const text = notices.map((each) => each.textContent).join('\n');
    // Elements with the same text are not replaced, so that a focused button keeps the focus.
    if (text !== this.#shownText) {
      this.#shownText = text;
      this.node.replaceChildren(...notices);
    }
  }

  #retryButton(): HTMLElement {
    const { manager, trans } = this.#options;
    return panelButton(trans.__('Try Again'), () => void manager.refresh(true));
  }

  #stopNotice(): HTMLElement | null {
    const { manager, trans } = this.#options;
    const text = presumedStopText(trans, manager);
    return text ? createNotice('error', text, this.#retryButton()) : null;
  }

  #failureNotice(payload: Payload | null): HTMLElement | null {
    const { manager, trans } = this.#options;
    if (manager.failure !== null) {
      return createNotice('error', failureText(trans, manager.failure), this.#retryButton());
    }
    const isLoading = !payload?.instance && !payload?.problem;
    return isLoading ? createNotice('info', trans.__('Looking for the instance…')) : null;
  }

  #problemNotice(payload: Payload | null): HTMLElement | null {
    const problem = payload?.problem;
    if (!problem) {
      return null;
    }
    const hint = panelElement('p', 'hint', [problem.hint]);
    const more = problem.hint ? [hint, this.#retryButton()] : [this.#retryButton()];
    return createNotice('error', problem.message, ...more);
  }

  #mutedNotice(payload: Payload | null): HTMLElement | null {
    if (!payload?.remindersMuted) {
      return null;
    }
    const { trans } = this.#options;
    const turnOnButton = panelButton(trans.__('Turn On'), () => void this.#turnOnReminders());
    const error = panelElement('p', 'error', [this.#remindersError]);
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
    const lines = this.#saveReportLines(run);
    return createNotice('info', lastRunText(this.#options, run), ...lines, dismissButton);
  }

  #savedNotice(): HTMLElement | null {
    const { manager, trans } = this.#options;
    const { savedBeforeStop, presumedStop } = manager;
    const lines = this.#saveReportLines(savedBeforeStop ?? { saved: [], notSaved: [] });
    if (lines.length === 0 || presumedStop !== null) {
      return null;
    }
    return createNotice('info', trans.__('Before the stop:'), ...lines);
  }

  #saveReportLines({ saved, notSaved }: SaveReport): HTMLElement[] {
    const { trans } = this.#options;
    const savedText = trans.__('Saved: %1', listText(trans, saved));
    const errorText = trans.__('Not saved: %1', notSavedText(trans, notSaved));
    return [
      ...(saved.length > 0 ? [createElement('p', {}, [savedText])] : []),
      ...(notSaved.length > 0 ? [panelElement('p', 'error', [errorText])] : []),
    ];
  }
}

function createNotice(tone: string, text: string, ...more: HTMLElement[]): HTMLElement {
  return panelElement('div', 'notice', [createElement('p', {}, [text]), ...more], {
    'data-tone': tone,
  });
}
