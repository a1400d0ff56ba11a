/** Where a server's programs are on this machine, and what to do when they are not. */
import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { AppError } from '../../src/errors.ts'
import type { Recipe } from './recipe.ts'

/** The folders to look in, the best first. */
export function searchPath({ folders }: Recipe): string[] {
  const own = globSync(folders).toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  return [...own, ...(process.env['PATH'] ?? '').split(delimiter)]
}

/** Why there can be no such server here and what to do about it, in one line; undefined when there can. */
export function lacking(recipe: Recipe, folders: readonly string[] = searchPath(recipe)): string | undefined {
  const absent = recipe.programs.filter((program) => find(program, folders) === undefined)
  if (absent.length === 0) return undefined
  const remedy = `on Debian or Ubuntu: apt-get install ${recipe.packages.join(' ')}`
  return `${recipe.name} is not installed (no ${absent.join(', no ')}); ${remedy}`
}

/** @throws {AppError} unavailable, when a program is not there. */
export function locate(recipe: Recipe, program: string): string {
  const path = find(program, searchPath(recipe))
  if (path === undefined) throw new AppError('unavailable', lacking(recipe) ?? `There is no program ${program}.`)
  return path
}

function find(program: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
