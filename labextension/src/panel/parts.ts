/** What the sections of the panel share. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { make } from '../countdown/dom';
import type { IManager, Payload } from '../tokens';

/** What a section is made of. */
export interface SectionOptions {
  readonly manager: IManager;
  readonly trans: TranslationBundle;
  /** Say this to a screen reader, once and politely. */
  readonly announce: (text: string) => void;
}

/** A part of the panel. */
export interface Section {
  readonly node: HTMLElement;
  /** Show what is known; what a person is typing stays. */
  update(payload: Payload | null): void;
}

/** A button that does something. */
export function button(text: string, onClick: () => void, kind = ''): HTMLButtonElement {
  const made = make('button', { type: 'button', class: `ma-Panel-button ${kind}`.trim() }, [text]);
  made.addEventListener('click', onClick);
  return made;
}

/** An element of a class of the panel. */
export function part<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  children: readonly (Node | string)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  return make(tag, { class: `ma-Panel-${name}`, ...attributes }, children);
}
