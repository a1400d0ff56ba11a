import { mariadb } from './mariadb.ts'
import { postgres } from './postgres.ts'
import { radosgw } from './radosgw.ts'
import type { Recipe } from './recipe.ts'

/** Every kind of server that there is a recipe for. */
export const recipes = { postgres, mariadb, radosgw } as const satisfies Record<string, Recipe>

export type Kind = keyof typeof recipes

export const kinds = Object.keys(recipes) as Kind[]
