/** The interface of the panel's sections, and the functions that create their elements. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { FrontShell } from '../browser/running-cell';
import { createElement } from '../countdown/elements';
import type { IManager, Payload } from '../tokens';

/** Options of a section. */
export interface PanelSectionOptions {
  /** Provides the state and carries out changes. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
  /** The commands of the page. */
  readonly commands: CommandRegistry;
  /** Has the document in front. */
  readonly shell: FrontShell;
  /** Announce a text to screen readers, once and politely. */
  readonly announce: (text: string) => void;
}

/** A section of the panel. */
export interface PanelSection {
  /** The outermost element. */
  readonly node: HTMLElement;
  /** Show a payload. Text that a user is typing is not changed. */
  update(payload: Payload | null): void;
}

/** Create a button. */
export function panelButton(text: string, onClick: () => void, modifier = ''): HTMLButtonElement {
  const element = createElement(
    'button',
    { type: 'button', class: `ma-Panel-button ${modifier}`.trim() },
    [text],
  );
  element.addEventListener('click', onClick);
  return element;
}

/** Create a switch, to be put into a label. */
export function panelSwitch(): HTMLInputElement {
  return panelElement('input', 'switchInput', [], { type: 'checkbox', role: 'switch' });
}

/** Create an element with a class of the panel. */
export function panelElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  children: readonly (Node | string)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  return createElement(tag, { class: `ma-Panel-${name}`, ...attributes }, children);
}
