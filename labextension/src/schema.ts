/** Translates the titles of the settings, which Jupyter does for its own packages only. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

/** The keys of a schema whose values are shown. */
const TRANSLATED_KEYS = new Set(['title', 'description']);

/** Return a plugin's settings with titles and descriptions in the language of the page. */
export function translateSchema(
  plugin: ISettingRegistry.IPlugin,
  trans: TranslationBundle,
): ISettingRegistry.IPlugin {
  const translate = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      return value.map(translate);
    }
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    const entries = Object.entries(value).map(([key, each]: [string, unknown]) => [
      key,
      // eslint-disable-next-line jupyter/no-dynamic-translation -- the texts are in schema/manager.json
      typeof each === 'string' && TRANSLATED_KEYS.has(key) ? trans.__(each) : translate(each),
    ]);
    return Object.fromEntries(entries) as unknown;
  };
  return { ...plugin, schema: translate(plugin.schema) as ISettingRegistry.ISchema };
}
