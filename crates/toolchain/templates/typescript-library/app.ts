// Functions of the world in `wit/`.

export function greet(name: string): string {
  return `Hello, ${name}!`;
}
