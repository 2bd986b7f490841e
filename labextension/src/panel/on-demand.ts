/** Sections whose content is requested when they are opened. */

import { failureText } from '../text/status-text';
import { BackendError } from '../tokens';
import { panelElement, type PanelSectionOptions } from './section';

/**
 * Fill a collapsed section each time it is opened.
 *
 * @param options - the translations
 * @param node - the section
 * @param title - its heading
 * @param load - requests the content; an error is shown in its place
 */
export function fillWhenOpened(
  { trans }: PanelSectionOptions,
  node: HTMLDetailsElement,
  title: string,
  load: () => Promise<readonly (Node | string)[]>,
): void {
  const content = panelElement('div', 'findings', [], { 'aria-live': 'polite' });
  const fill = async (): Promise<void> => {
    content.replaceChildren(trans.__('Loading…'));
    try {
      content.replaceChildren(...(await load()));
    } catch (error) {
      const failure = error instanceof BackendError ? error : new BackendError('failed');
      content.replaceChildren(failureText(trans, failure));
    }
  };
  node.append(panelElement('summary', 'heading', [title]), content);
  node.addEventListener('toggle', () => {
    if (node.open) {
      void fill();
    }
  });
}
