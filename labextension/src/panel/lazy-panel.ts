/** The panel's widget in the shell, which loads the panel when it is first shown. */

import { Widget } from '@lumino/widgets';
import { setAttributes } from '../countdown/elements';
import { PANEL_ID, type PanelField } from '../tokens';
import type { Panel } from './panel';

/** An empty widget until it is first shown, then the container of the panel. */
export class LazyPanel extends Widget {
  readonly #createPanel: () => Promise<Panel>;
  #panel: Promise<Panel> | null = null;

  /**
   * @param label - the name of the region for screen readers
   * @param createPanel - loads the code and creates the panel
   */
  constructor(label: string, createPanel: () => Promise<Panel>) {
    super();
    this.#createPanel = createPanel;
    this.id = PANEL_ID;
    this.addClass('ma-Panel');
    setAttributes(this.node, { role: 'region', 'aria-label': label });
  }

  /** Move the focus to a field. */
  async focusField(field: PanelField): Promise<void> {
    (await this.#loadPanel()).focusField(field);
  }

  /** Remove the panel. May be called more than once. */
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
      // The server may be reachable the next time.
      this.#panel = null;
    });
    return this.#panel;
  }
}
