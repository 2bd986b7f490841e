/** The section that runs the checks of the doctor. */

import { createElement } from '../countdown/elements';
import { failureText } from '../text/status-text';
import { BackendError, type Finding } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** A collapsed section that runs the checks each time it is opened. */
export class DoctorSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('details', 'section');
  readonly #options: PanelSectionOptions;
  readonly #results = panelElement('div', 'findings', [], { 'aria-live': 'polite' });

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    this.node.append(
      panelElement('summary', 'heading', [options.trans.__('Check Setup')]),
      this.#results,
    );
    this.node.addEventListener('toggle', () => {
      if (this.node.open) {
        void this.#runDoctor();
      }
    });
  }

  /** {@inheritDoc PanelSection.update} */
  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
  }

  async #runDoctor(): Promise<void> {
    const { manager, trans } = this.#options;
    this.#results.replaceChildren(trans.__('Checking…'));
    try {
      const findings = await manager.runDoctor();
      const problems = findings.filter(({ level }) => level === 'problem');
      const others = findings.filter(({ level }) => level !== 'problem');
      const items = [...problems, ...others].map(createFinding);
      this.#results.replaceChildren(
        createElement('p', {}, [this.#summary(problems.length)]),
        createElement('ul', {}, items),
      );
    } catch (error) {
      const failure = error instanceof BackendError ? error : new BackendError('failed');
      this.#results.replaceChildren(failureText(trans, failure));
    }
  }

  #summary(count: number): string {
    const { trans } = this.#options;
    return count > 0 ? trans._n('%1 problem', '%1 problems', count) : trans.__('No problem found.');
  }
}

function createFinding({ label, level, message, hint }: Finding): HTMLElement {
  const mark = { ok: '✓', problem: '✗' }[level] ?? '·';
  const children = [
    createElement('span', { 'aria-hidden': 'true' }, [`${mark} `]),
    createElement('strong', {}, [label]),
    ` ${message}`,
    ...(hint ? [panelElement('p', 'hint', [hint])] : []),
  ];
  return panelElement('li', 'finding', children, { 'data-level': level });
}
