/** The settings in the language of the page: Jupyter itself translates those of its own packages only. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

/** What a person reads of a schema. */
const TRANSLATED_KEYS = new Set(['title', 'description']);

/** A plugin's settings with titles and descriptions in the language of the page. */
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
      // eslint-disable-next-line jupyter/no-dynamic-translation -- they stand in schema/manager.json
      typeof each === 'string' && TRANSLATED_KEYS.has(key) ? trans.__(each) : translate(each),
    ]);
    return Object.fromEntries(entries) as unknown;
  };
  return { ...plugin, schema: translate(plugin.schema) as ISettingRegistry.ISchema };
}
