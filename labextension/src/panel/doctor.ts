/** The doctor: looks at the set-up when a person asks for it. */

import { createElement } from '../countdown/elements';
import { failureText } from '../text/status-text';
import { BackendError, type Finding } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Folded away until it is opened; looks anew at each opening. */
export class DoctorSection implements PanelSection {
  readonly node = panelElement('details', 'section');
  readonly #options: PanelSectionOptions;
  readonly #results = panelElement('div', 'findings', [], { 'aria-live': 'polite' });

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    this.node.append(
      panelElement('summary', 'heading', [options.trans.__('Check the set-up')]),
      this.#results,
    );
    this.node.addEventListener('toggle', () => {
      if (this.node.open) {
        void this.#runDoctor();
      }
    });
  }

  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
  }

  async #runDoctor(): Promise<void> {
    const { manager, trans } = this.#options;
    this.#results.replaceChildren(trans.__('Looking…'));
    try {
      const findings = await manager.runDoctor();
      const problems = findings.filter(({ level }) => level === 'problem');
      const others = findings.filter(({ level }) => level !== 'problem');
      const verdict = problems.length
        ? trans._n('%1 problem', '%1 problems', problems.length, problems.length)
        : trans.__('No problem found.');
      this.#results.replaceChildren(
        createElement('p', {}, [verdict]),
        createElement(
          'ul',
          {},
          [...problems, ...others].map((each) => this.#findingElement(each)),
        ),
      );
    } catch (error) {
      const failure = error instanceof BackendError ? error : new BackendError('failed');
      this.#results.replaceChildren(failureText(trans, failure));
    }
  }

  #findingElement({ label, level, message, hint }: Finding): HTMLElement {
    const mark = { ok: '✓', problem: '✗' }[level] ?? '·';
    const sign = createElement('span', { 'aria-hidden': 'true' }, [`${mark} `]);
    const line = [sign, createElement('strong', {}, [label]), ` ${message}`];
    return panelElement(
      'li',
      'finding',
      hint ? [...line, panelElement('p', 'hint', [hint])] : line,
      {
        'data-level': level,
      },
    );
  }
}
