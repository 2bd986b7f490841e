import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { expect, it } from 'vitest';
import schema from '../schema/manager.json';
import { translateSchema } from '../src/schema';
import { trans } from './fakes';

const plugin = { id: 'p', raw: '{}', version: '1', schema } as unknown as ISettingRegistry.IPlugin;
const upper = { ...trans, __: (words: string) => words.toUpperCase() };

it('translates the titles and descriptions of the settings', () => {
  const worded = translateSchema(plugin, upper);
  expect(worded.schema.description).toBe(schema.description.toUpperCase());
  const { statusShows } = worded.schema.properties ?? {};
  expect(worded.schema.title).toBe('MODELARTS');
  expect(statusShows?.title).toBe('STATUS BAR SHOWS');
  expect(statusShows?.oneOf).toEqual([
    { enum: ['time-left'], title: 'TIME LEFT' },
    { enum: ['stop-time'], title: 'STOP TIME' },
    { enum: ['both'], title: 'BOTH' },
  ]);
  const [before, after] = [plugin, worded].map((each) => JSON.stringify(each).toLowerCase());
  expect(after).toBe(before);
  expect(plugin.schema.title).toBe('ModelArts');
  expect(translateSchema(plugin, trans)).toEqual(plugin);
});
