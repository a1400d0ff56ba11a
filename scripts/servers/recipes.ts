import { mariadb } from './mariadb.ts'
import { postgres } from './postgres.ts'
import { rabbitmq } from './rabbitmq.ts'
import { radosgw } from './radosgw.ts'
import type { Recipe } from './recipe.ts'

/** Every kind of server that there is a recipe for. */
export const recipes = { postgres, mariadb, rabbitmq, radosgw } as const satisfies Record<string, Recipe>

export type Kind = keyof typeof recipes

export const kinds = Object.keys(recipes) as Kind[]
