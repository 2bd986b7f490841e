/** The panel's place in the shell: empty and cheap until somebody looks at it. */

import { Widget } from '@lumino/widgets';
import { setAttributes } from '../countdown/elements';
import type { Panel } from './panel';
import { PANEL_ID } from '../tokens';

/** A field of the panel. */
export type PanelField = 'description' | 'auto-stop';

/** Shows the panel; loads its code when it is first seen. */
export class LazyPanel extends Widget {
  readonly #createPanel: () => Promise<Panel>;
  #panel: Promise<Panel> | null = null;

  /**
   * @param label - what a screen reader says it is
   * @param load - makes the panel
   */
  constructor(label: string, load: () => Promise<Panel>) {
    super();
    this.#createPanel = load;
    this.id = PANEL_ID;
    this.addClass('ma-Panel');
    setAttributes(this.node, { role: 'region', 'aria-label': label });
  }

  /** Put the focus on a field. */
  async focusField(field: PanelField): Promise<void> {
    (await this.#loadPanel()).focusField(field);
  }

  /** Take the panel away. Calling it twice is fine. */
  override dispose(): void {
    if (!this.isDisposed) {
      super.dispose();
      void this.#panel?.then((panel) => {
        panel.dispose();
      });
    }
  }

  protected override onBeforeShow(): void {
    void this.#loadPanel();
  }

  protected override onAfterAttach(): void {
    if (this.isVisible) {
      void this.#loadPanel();
    }
  }

  #loadPanel(): Promise<Panel> {
    this.#panel ??= this.#createPanel().then((panel) => {
      if (this.isDisposed) {
        panel.dispose();
      } else {
        this.node.append(panel.node);
      }
      return panel;
    });
    this.#panel.catch(() => {
      this.#panel = null; // The server is away; it may be back the next time.
    });
    return this.#panel;
  }
}
