import { publish, RetrievalModel } from 'silverlode';
import { property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { FIELDS, Mirror } from './mirror.js';
import { checkQueries } from './queries.js';

const folder = await tempFolder();

for (const clusters of ['flat', 5] as const) {
  property(`random updates, saving and folding leave what brute force finds: ${clusters}`, 4, async (random) => {
    const options = {
      metric: random.pick(['ip', 'cosine', 'l2'] as const),
      biased: random.chance(0.5),
      features: random.chance(0.5),
    };
    const mirror = new Mirror(options);
    const ids = Array.from({ length: 400 }, (_, id) => id * 3);
    const first = ids.slice(0, 150);
    mirror.apply(mirror.upsert(random, first));
    const fields = new Set<string>(FIELDS.map(({ name }) => name));
    const published = mirror.published();
    if (random.chance(0.5)) {
      // Published without the last field: updates bring it.
      const { season: _, ...attributes } = published.attributes as Record<string, never>;
      published.attributes = attributes;
      for (const item of mirror.items.values()) item.attributes[FIELDS.length - 1] = [];
      fields.delete('season');
    }
    const bias = options.biased ? Float32Array.from(mirror.items.values(), (item) => item.bias) : undefined;
    let model = await publish({ items: published, index: { clusters, metric: options.metric, bias } });
    await checkQueries(model, mirror, random, ids, fields);
    for (let step = 0; step < 60; step++) {
      const updates = Array.from({ length: random.pick([1, 1, 3]) }, () => {
        const update = mirror.randomUpdate(random, ids);
        mirror.apply(update);
        return update;
      });
      if ([...mirror.items.values()].some((item) => (item.attributes[FIELDS.length - 1]?.length ?? 0) > 0))
        fields.add('season');
      await Promise.all(updates.map((update) => model.apply(update)));
      if (random.chance(0.1)) await model.compact();
      if (random.chance(0.1)) {
        const path = folder.path(`${clusters}-${step}.silverlode`);
        await model.save(path);
        await model.close();
        model = await RetrievalModel.load(path);
      }
      await checkQueries(model, mirror, random, ids, fields);
    }
    await model.close();
  });
}
