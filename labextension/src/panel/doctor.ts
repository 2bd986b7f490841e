/** The section that runs the checks of the doctor. */

import { createElement } from '../countdown/elements';
import type { Finding } from '../tokens';
import { fillWhenOpened } from './on-demand';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** A collapsed section that runs the checks each time it is opened. */
export class DoctorSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('details', 'section');
  readonly #options: PanelSectionOptions;

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const title = options.trans.__('Check Setup');
    fillWhenOpened(options, this.node, title, () => this.#runDoctor());
  }

  /** {@inheritDoc PanelSection.update} */
  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
  }

  async #runDoctor(): Promise<readonly Node[]> {
    const findings = await this.#options.manager.runDoctor();
    const problems = findings.filter(({ level }) => level === 'problem');
    const others = findings.filter(({ level }) => level !== 'problem');
    const items = [...problems, ...others].map(createFinding);
    return [
      createElement('p', {}, [this.#summary(problems.length)]),
      createElement('ul', {}, items),
    ];
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
