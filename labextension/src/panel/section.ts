/** What the sections of the panel share. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { createElement } from '../countdown/elements';
import type { IManager, Payload } from '../tokens';

/** What a section is made of. */
export interface PanelSectionOptions {
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  /** Say this to a screen reader, once and politely. */
  readonly announce: (text: string) => void;
}

/** A part of the panel. */
export interface PanelSection {
  readonly node: HTMLElement;
  /** Show what is known; what a person is typing stays. */
  update(payload: Payload | null): void;
}

/** A button that does something. */
export function panelButton(text: string, onClick: () => void, modifier = ''): HTMLButtonElement {
  const element = createElement(
    'button',
    { type: 'button', class: `ma-Panel-button ${modifier}`.trim() },
    [text],
  );
  element.addEventListener('click', onClick);
  return element;
}

/** An element of a class of the panel. */
export function panelElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  children: readonly (Node | string)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  return createElement(tag, { class: `ma-Panel-${name}`, ...attributes }, children);
}
