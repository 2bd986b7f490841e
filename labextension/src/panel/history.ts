/** The section that lists the last changes. */

import { createElement } from '../countdown/elements';
import { fillWhenOpened } from './on-demand';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** A collapsed section that reads the history each time it is opened. */
export class HistorySection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('details', 'section');
  readonly #options: PanelSectionOptions;

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const { manager, trans } = options;
    fillWhenOpened(options, this.node, trans.__('History'), async () => {
      const entries = await manager.readHistory();
      return entries.length > 0
        ? [
            createElement(
              'ul',
              {},
              entries.map((each) => panelElement('li', 'finding', [each])),
            ),
          ]
        : [trans.__('No change is recorded yet.')];
    });
  }

  /** {@inheritDoc PanelSection.update} */
  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
  }
}
